// The legend: the four risk colours, and the meaning of colours and symbols of the visible layers.
import type { StyleSpecification } from "maplibre-gl";
import type { Catalog, Layer } from "./api";
import { element } from "./element";
import { codeLabel } from "./format";
import { onLanguage, pick, say } from "./language";
import type { LayerPanel } from "./layers";
import { entry, fieldsDrawn, signOf, type Sign } from "./signs";

/** The layers with legend entries, in the order of the panel. */
const EXPLAINED = [
  "incidents", "warnings", "shelters", "teams", "hazards", "geo_hazard_points", "hidden_dangers",
  "risk_zones", "water_works", "pipelines", "stations", "key_places", "roads",
];

/** Values of other fields that are fixed for the legend of a field. */
const HELD: Record<string, Record<string, unknown>> = {
  incidents: { status: "responding", severity: 4 },
  warnings: { status: "active", severity: 4 },
};

export class Legend {
  #open = false;

  constructor(
    private readonly style: StyleSpecification,
    private readonly catalog: Catalog,
    private readonly panel: LayerPanel,
    private readonly box: HTMLElement,
  ) {
    onLanguage(() => this.#draw());
    panel.onChange(() => this.#draw());
  }

  #draw(): void {
    const details = element("details", { open: this.#open },
      element("summary", {}, element("span", { class: "heading" }, say("legend")), this.#riskColours()),
      element("div", { class: "explained", tabindex: 0, role: "group", "aria-label": say("legend") }, ...this.#explanations()));
    details.addEventListener("toggle", () => (this.#open = details.open));
    this.box.replaceChildren(details);
  }

  #riskColours(): HTMLElement {
    const levels = this.catalog.codes.risk_level ?? [];
    return element("span", { class: "levels" }, ...levels.map((level) => {
      const chip = element("span", { class: "level" }, pick(level));
      chip.style.setProperty("--level", level.color ?? "transparent");
      return chip;
    }));
  }

  #explanations(): HTMLElement[] {
    return EXPLAINED.flatMap((id) => {
      const layer = this.catalog.layers.find((one) => one.id === id);
      if (!layer || !this.panel.isVisible(id)) return [];
      const rows = [...fieldsDrawn(this.style, id)].flatMap((field) => this.#field(layer, field));
      if (id === "stations") {
        rows.push(entry(signOf(this.style, id, { kind: "none", value: 1, threshold: 1 }), say("overThreshold")));
      }
      return rows.length > 0 ? [element("section", {}, element("h3", {}, pick(layer.title)), ...rows)] : [];
    });
  }

  #field(layer: Layer, name: string): HTMLElement[] {
    const field = layer.fields.find((one) => one.name === name);
    const codes = field?.codes ? this.catalog.codes[field.codes] : undefined;
    // The four risk colours are already in the first line of the legend.
    if (!codes || field?.codes === "risk_level") return [];
    // Codes with the same symbol share one line; if all have the same symbol, no line is needed.
    const alike = new Map<string, { sign: Sign; labels: string[] }>();
    for (const { code } of codes) {
      const sign = signOf(this.style, layer.id, { ...HELD[layer.id], [name]: code });
      if (layer.id === "risk_zones") sign.fill = "transparent";
      const key = JSON.stringify(sign);
      const group = alike.get(key) ?? { sign, labels: [] };
      group.labels.push(codeLabel(codes, code));
      alike.set(key, group);
    }
    if (alike.size < 2) return [];
    return [...alike.values()].map(({ sign, labels }) => entry(sign, labels.join(say("listComma"))));
  }
}
