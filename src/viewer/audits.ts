// Two audits on the map: places with people inside risk zones, and villages too far from help.
import type { CircleLayerSpecification, GeoJSONSource, Map } from "maplibre-gl";
import { audit, type AuditName, type Catalog } from "./api";
import { element } from "./element";
import { number } from "./format";
import { onLanguage, say } from "./language";
import { notice, settle } from "./notices";

type Paint = NonNullable<CircleLayerSpecification["paint"]>;

/** A ring around each finding, so that its symbol stays visible. */
const paint = (colors: string[]): Record<AuditName, Paint> => ({
  siting: {
    "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 5, 15, 15],
    "circle-color": "#ffffff00",
    "circle-stroke-color": ["case", ["get", "inside"], "#b3182d", "#c2571a"],
    "circle-stroke-width": ["case", ["get", "inside"], 4, 2.5],
  },
  coverage: {
    "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 4, 15, 13],
    "circle-color": ["step", ["length", ["get", "beyond"]], "#137a43", 1, colors[2]!, 2, colors[1]!, 3, colors[0]!],
    "circle-opacity": 0.75,
    "circle-stroke-color": "#22303c",
    "circle-stroke-width": 1,
  },
});

/** The colours of the risk levels, worst first. */
const riskColors = (catalog: Catalog) =>
  [1, 2, 3].map((level) => catalog.codes.risk_level?.find(({ code }) => code === level)?.color ?? "#7d8794");

export class Audits {
  readonly #shown = new Set<AuditName>();
  readonly #counts = new globalThis.Map<AuditName, number>();

  readonly #paint: Record<AuditName, Paint>;

  constructor(private readonly map: Map, catalog: Catalog, private readonly panel: HTMLElement) {
    this.#paint = paint(riskColors(catalog));
    onLanguage(() => this.#draw());
  }

  /** Requests the visible audits again after a change in a layer. */
  async changed(): Promise<void> {
    await Promise.all([...this.#shown].map((name) => this.#load(name)));
  }

  #draw(): void {
    this.panel.replaceChildren(element("section", { "aria-label": say("audits") },
      element("h2", {}, say("audits")),
      ...(["siting", "coverage"] as const).map((name) => this.#row(name))));
  }

  #row(name: AuditName): HTMLElement {
    const box = element("input", { type: "checkbox", checked: this.#shown.has(name) });
    box.addEventListener("change", () => void this.#toggle(name, box.checked));
    const count = this.#counts.get(name);
    return element("label", { class: "layer", "data-audit": name, title: say(name === "siting" ? "sitingHint" : "coverageHint") },
      box, element("span", { class: "name" }, say(name)),
      element("span", { class: "count" }, count === undefined ? "" : number(count)));
  }

  async #toggle(name: AuditName, on: boolean): Promise<void> {
    if (on) {
      this.#shown.add(name);
      await this.#load(name);
    } else {
      this.#shown.delete(name);
      if (this.map.getLayer(`audit-${name}`)) this.map.setLayoutProperty(`audit-${name}`, "visibility", "none");
    }
  }

  async #load(name: AuditName): Promise<void> {
    try {
      const found = await audit(name);
      settle(`audit-${name}`);
      this.#counts.set(name, name === "siting" ? found.features.length
        : found.features.filter((feature) => (feature.properties.beyond as unknown[]).length > 0).length);
      this.#draw();
      const source = this.map.getSource<GeoJSONSource>(`audit-${name}`);
      if (source) {
        source.setData(found);
      } else {
        this.map.addSource(`audit-${name}`, { type: "geojson", data: found });
        this.map.addLayer({ id: `audit-${name}`, type: "circle", source: `audit-${name}`, paint: this.#paint[name] });
      }
      this.map.setLayoutProperty(`audit-${name}`, "visibility", this.#shown.has(name) ? "visible" : "none");
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      notice(`audit-${name}`, "askFailed", () => why, () => void this.#load(name));
    }
  }
}
