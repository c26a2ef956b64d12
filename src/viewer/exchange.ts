// Import and export in the layer panel: a file is chosen or dropped on the page; a layer is downloaded within the view.
import type { Map } from "maplibre-gl";
import type { Catalog, Layer } from "./api";
import { element } from "./element";
import { ACCEPTED, type ImportPanel } from "./import_panel";
import { onLanguage, pick, say } from "./language";

const FORMATS: readonly (readonly [string, string, readonly Layer["geometry"][]])[] = [
  ["xlsx", "Excel", ["point"]],
  ["csv", "CSV", ["point", "line", "polygon", "any"]],
  ["shp", "Shapefile", ["point", "line", "polygon"]],
  ["kml", "KML", ["point", "line", "polygon", "any"]],
  ["json", "GeoJSON", ["point", "line", "polygon", "any"]],
  ["fgb", "FlatGeobuf", ["point", "line", "polygon", "any"]],
];
const MOST_FEATURES = "10000";

export class Exchange {
  #layer = "shelters";
  #format = "xlsx";

  constructor(private readonly map: Map, private readonly catalog: Catalog, private readonly imports: ImportPanel, private readonly panel: HTMLElement) {
    onLanguage(() => this.draw());
    addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    addEventListener("drop", (event) => {
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault();
      void this.imports.open(file);
    });
  }

  /** Draws the section; who may import is known only with the session. */
  draw(): void {
    const file = element("input", { type: "file", id: "import-file", accept: ACCEPTED.join(","), hidden: true });
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen) void this.imports.open(chosen);
    });
    const open = element("button", { type: "button", class: "exchange-import", title: say("importFormats") }, say("importFile"));
    open.addEventListener("click", () => file.click());
    const mayImport = this.imports.layers().length > 0;
    this.panel.replaceChildren(element("section", { "aria-label": say("exchange") },
      element("h2", {}, say("exchange")),
      ...(mayImport ? [element("p", {}, open, file), element("p", { class: "quiet" }, say("importFormats"))] : []),
      this.#export()));
  }

  #export(): HTMLElement {
    const layers = this.catalog.layers.toReversed();
    const layer = layers.find(({ id }) => id === this.#layer) ?? layers[0];
    const formats = FORMATS.filter(([, , kinds]) => layer && kinds.includes(layer.geometry));
    if (!formats.some(([name]) => name === this.#format)) this.#format = formats[0]?.[0] ?? "json";
    const select = (name: string, label: string, options: [string, string][], chosen: string, set: (value: string) => void) => {
      const made = element("select", { "aria-label": label, "data-field": name },
        ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
      made.addEventListener("change", () => {
        set(made.value);
        this.draw();
        this.panel.querySelector<HTMLElement>(`[data-field="${name}"]`)?.focus();
      });
      return made;
    };
    const download = element("a", { class: "exchange-download", href: "#", download: true }, say("download"));
    // The view may have moved since the section was drawn.
    download.addEventListener("click", () => {
      const [west, south, east, north] = this.map.getBounds().toArray().flat().map((degrees) => degrees.toFixed(5));
      const parameters = new URLSearchParams({ f: this.#format, limit: MOST_FEATURES, bbox: [west, south, east, north].join(",") });
      download.href = `ogc/collections/${encodeURIComponent(this.#layer)}/items?${parameters.toString()}`;
      download.download = `${this.#layer}.${this.#format === "shp" ? "zip" : this.#format}`;
    });
    return element("div", { class: "exchange-export" }, element("span", {}, say("exportView")),
      select("export-layer", say("exportLayer"), layers.map(({ id, title }) => [id, pick(title)]), this.#layer, (id) => (this.#layer = id)),
      select("export-format", say("exportFormat"), formats.map(([name, title]) => [name, title]), this.#format, (name) => (this.#format = name)),
      download);
  }
}
