// The panel beside the map: one of several results has it at a time.
import type { Map } from "maplibre-gl";
import { element } from "./element";
import { say } from "./language";
import { openSheet } from "./sheet";

/** Shows the panel. */
export function openSide(map: Map, panel: HTMLElement): void {
  panel.hidden = false;
  document.body.classList.add("answering");
  openSheet("nearest");
  map.resize();
}

export function closeSide(map: Map, panel: HTMLElement): void {
  panel.hidden = true;
  document.body.classList.remove("answering");
  openSheet(undefined);
  map.resize();
  map.getCanvas().focus();
}

/** The heading of the panel, with a button that closes it. */
export function sideHeader(title: string, onClose: () => void): HTMLElement {
  const close = element("button", { type: "button", class: "close", "aria-label": say("close"), title: say("close") }, "×");
  close.addEventListener("click", onClose);
  return element("header", {}, element("h2", {}, title), close);
}
