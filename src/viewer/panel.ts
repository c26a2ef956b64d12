// The panel beside the map, and the sheet on narrow screens. Queries, plans, imports and forms take turns in it.
import type { Map } from "maplibre-gl";
import { ServerError } from "./api";
import { element } from "./element";
import { language, say } from "./language";
import { openSheet } from "./sheet";

export class Panel {
  /** Ends what the panel shows. */
  #leave: (() => void) | undefined;
  /** Parts of the content by what they show. */
  readonly #kept = new globalThis.Map<string, HTMLElement>();

  constructor(private readonly map: Map, readonly element: HTMLElement) {
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  /** Opens the panel for somebody; whoever had it before leaves it. The map gets narrower. */
  open(leave: () => void): void {
    if (this.#leave !== leave) this.#leave?.();
    this.#leave = leave;
    this.element.hidden = false;
    document.body.classList.add("answering");
    openSheet("nearest");
    this.map.resize();
  }

  close(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.element.hidden = true;
    this.busy = false;
    document.body.classList.remove("answering");
    openSheet(undefined);
    this.map.resize();
    this.map.getCanvas().focus();
  }

  get isHidden(): boolean {
    return this.element.hidden !== false;
  }

  get busy(): boolean {
    return this.element.getAttribute("aria-busy") === "true";
  }

  set busy(busy: boolean) {
    this.element.setAttribute("aria-busy", String(busy));
  }

  /**
   * A part of the content with inputs: the one that is there already, if it shows the same. So an answer that arrives
   * does not take away what is being typed.
   * @param shown everything that the part depends on
   */
  keep(name: string, shown: unknown, make: () => HTMLElement): HTMLElement {
    const key = JSON.stringify([name, language(), shown]);
    const part = this.#kept.get(key) ?? make();
    this.#kept.set(key, part);
    return part;
  }

  /** Replaces the content below a heading with a button that closes the panel; kept parts stay where they are. */
  draw(title: string, ...content: (Node | undefined)[]): void {
    const close = element("button", { type: "button", class: "close", "aria-label": say("close"), title: say("close") }, "×");
    close.addEventListener("click", () => this.close());
    this.element.setAttribute("aria-label", title);
    const shown = [element("header", {}, element("h2", {}, title), close), ...content.filter((node) => node !== undefined)];
    for (const old of [...this.element.childNodes]) if (!shown.includes(old)) old.remove();
    // An element that is moved loses the focus.
    shown.forEach((node, at) => {
      const there = this.element.childNodes[at] ?? null;
      if (there !== node) this.element.insertBefore(node, there);
    });
    for (const [key, part] of this.#kept) if (!this.element.contains(part)) this.#kept.delete(key);
  }
}

/** What the content of a panel waits for. A newer request replaces an older one, whose outcome is dropped. */
export class PanelRequest {
  #request = new AbortController();
  #failure: string | undefined;

  /** @param draw draws the content again */
  constructor(private readonly panel: Panel, private readonly draw: () => void) {}

  get failure(): string | undefined {
    return this.#failure;
  }

  abort(): void {
    this.#request.abort();
  }

  /** Sends a request; `take` gets what was found, or undefined after a failure. */
  async send<Found>(ask: (signal: AbortSignal) => Promise<Found>, take: (found: Found | undefined) => void): Promise<void> {
    this.#request.abort();
    const request = new AbortController();
    this.#request = request;
    this.#failure = undefined;
    this.panel.busy = true;
    this.draw();
    let found: Found | undefined;
    try {
      found = await ask(request.signal);
    } catch (error) {
      if (request.signal.aborted) return;
      this.#failure = error instanceof ServerError ? error.message : String(error);
    }
    if (request.signal.aborted) return;
    this.panel.busy = false;
    take(found);
    this.draw();
  }

  /** Why the request failed, or that nothing is there yet. */
  told(hasContent: boolean): HTMLElement[] {
    if (this.#failure !== undefined) return [element("p", { class: "failed", role: "alert" }, say("askFailed"), this.#failure)];
    return hasContent ? [] : [element("p", { class: "quiet", role: "status" }, say("loading"))];
  }
}
