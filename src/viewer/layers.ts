// The layer panel: groups, check boxes, symbols, names, counts, and a hint for layers that need a higher zoom.
import type { Map, StyleSpecification } from "maplibre-gl";
import type { Catalog, Layer } from "./api";
import { element } from "./element";
import { number } from "./format";
import { onLanguage, pick, say } from "./language";
import { signOf, swatch } from "./signs";
import { BASE_MAP, drawnBy, show } from "./style";
import { words } from "./words";

/** The risk surface. */
const RISK_GRID = "risk_grid";
const GROUPS = ["event", "rescue", "risk", "monitor", "base"] as const;

/** Example values for the symbol of a layer. */
export const TYPICAL: Record<string, Record<string, unknown>> = {
  hazards: { unit: "none", risk_level: 2 },
  geo_hazard_points: { kind: "none", risk_level: 2 },
  hidden_dangers: { level: "serious" },
  risk_grid: { level: 2 },
  risk_zones: { hazard: "flood", risk_level: 2 },
  roads: { class: "national" },
  pipelines: { kind: "water" },
  teams: { status: "standby" },
  incidents: { severity: 2, status: "responding" },
  warnings: { severity: 3, status: "active" },
};

/** A row of the panel: a layer of the catalog, or another one, which has no count. */
type Row = Pick<Layer, "id" | "group" | "title"> & { count?: number };

export class LayerPanel {
  readonly #hidden = new Set<string>();
  readonly #listeners: (() => void)[] = [];

  constructor(
    private readonly map: Map,
    private readonly style: StyleSpecification,
    private catalog: Catalog,
    private readonly panel: HTMLElement,
  ) {
    // Documents have a place, but are read with their incident or warning.
    for (const { id, roles } of catalog.layers) if (roles.plan || roles.situation_report) this.#set(id, false);
    onLanguage(() => this.#draw());
    map.on("zoomend", () => this.#markTooFar());
  }

  /** Takes new counts. */
  update(catalog: Catalog): void {
    this.catalog = catalog;
    for (const layer of catalog.layers) {
      const count = this.panel.querySelector(`[data-layer="${layer.id}"] .count`);
      if (count) count.textContent = number(layer.count);
    }
  }

  isVisible(layerId: string): boolean {
    return !this.#hidden.has(layerId);
  }

  /** Ids of all layers. */
  ids(): string[] {
    return this.#rows().map(({ id }) => id);
  }

  showOnly(shown: ReadonlySet<string>): void {
    for (const id of this.ids()) this.#set(id, shown.has(id));
    this.#draw();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #draw(): void {
    const groups = GROUPS.map((group) => {
      const layers = this.#rows().filter((row) => row.group === group);
      const all = element("button", { type: "button", class: "all" });
      all.addEventListener("click", () => {
        const visible = layers.some((layer) => this.#hidden.has(layer.id));
        for (const layer of layers) this.#set(layer.id, visible);
        this.#draw();
        this.panel.querySelector<HTMLElement>(`[data-group="${group}"] .all`)?.focus();
      });
      all.textContent = layers.some((layer) => this.#hidden.has(layer.id)) ? say("allOn") : say("allOff");
      all.setAttribute("aria-label", `${all.textContent}: ${say(group)}`);
      return element("section", { "data-group": group, "aria-label": say(group) },
        element("h2", {}, say(group), all),
        ...layers.map((layer) => this.#row(layer)));
    });
    this.panel.replaceChildren(...groups);
    this.#markTooFar();
  }

  /** Top to bottom. */
  #rows(): Row[] {
    const others: [string, Layer["group"], readonly [string, string]][] = [[RISK_GRID, "risk", words.riskGrid], [BASE_MAP, "base", words.baseMap]];
    const drawn = others.filter(([id]) => drawnBy(this.style, id).length > 0);
    return [...this.catalog.layers.toReversed(), ...drawn.map(([id, group, [zh, en]]): Row => ({ id, group, title: { zh, en } }))];
  }

  #row(layer: Row): HTMLElement {
    const box = element("input", { type: "checkbox", checked: this.isVisible(layer.id) });
    box.addEventListener("change", () => {
      this.#set(layer.id, box.checked);
      const group = this.#rows().filter((other) => other.group === layer.group);
      const all = box.closest("section")?.querySelector(".all");
      if (all) all.textContent = group.some((other) => this.#hidden.has(other.id)) ? say("allOn") : say("allOff");
    });
    const sign = signOf(this.style, layer.id, TYPICAL[layer.id]);
    if (layer.id === "incidents") sign.text = "!";
    return element("label", { class: "layer", "data-layer": layer.id },
      box, swatch(sign),
      element("span", { class: "name" }, pick(layer.title)),
      element("span", { class: "far" }, say("zoomToSee")),
      ...(layer.count === undefined ? [] : [
        element("span", { class: "count", title: `${number(layer.count)} ${say("features")}` }, number(layer.count)),
      ]));
  }

  #set(layerId: string, visible: boolean): void {
    if (visible) this.#hidden.delete(layerId);
    else this.#hidden.add(layerId);
    show(this.map, this.style, layerId, visible);
    for (const listener of this.#listeners) listener();
  }

  /** Adds a hint to layers that appear only at higher zooms. */
  #markTooFar(): void {
    const zoom = this.map.getZoom();
    for (const layer of this.catalog.layers) {
      const nearestZoom = Math.min(...drawnBy(this.style, layer.id).map((drawn) => drawn.minzoom ?? 0));
      const row = this.panel.querySelector(`[data-layer="${layer.id}"]`);
      row?.classList.toggle("too-far", zoom < nearestZoom);
    }
  }
}
