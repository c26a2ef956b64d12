// Imports a file: what was recognised, its rows on the map, its defects; then it is stored or discarded. It takes the place of
// the query panel.
import { LngLatBounds, type GeoJSONSource, type LayerSpecification, type Map as MapView } from "maplibre-gl";
import type { Geometry, Position } from "geojson";
import * as api from "./api";
import { element } from "./element";
import { explainFault } from "./fault";
import { number } from "./format";
import { language, onLanguage, pick, say } from "./language";
import type { Panel } from "./panel";
import { saveFile } from "./save_file";
import type { Word } from "./words";

const SOURCE = "import";
const COLOUR = "#c2185b";
/** Reference systems that are offered; any other can be typed. */
const SYSTEMS = ["wgs84", "gcj02", "bd09", "cgcs2000", "EPSG:4549", "EPSG:4548", "EPSG:4528", "EPSG:3857"];
const MODES: Record<api.ImportOptions["mode"], Word> = { add: "importAdd", update: "importUpdate", replace: "importReplace" };
/** Endings of the names of files that can be imported. */
export const ACCEPTED = [
  ".xlsx", ".xls", ".xlsb", ".ods", ".csv", ".tsv", ".txt", ".zip", ".kml", ".kmz", ".gpx", ".pbf", ".gpkg", ".geojson", ".json", ".geojsonl", ".ndjson", ".fgb", ".xml", ".cap",
];
/** Rows of each kind in the panel; the reports have all. */
const SHOWN_ROWS = 50;

/** The import that was stored, and what it changed. */
type Done = { id: string; counts: api.ImportCounts; isUndone: boolean };

export class ImportPanel {
  #file: File | undefined;
  #layer = "";
  #options: api.ImportOptions = { columns: {}, mode: "add", skip_bad: false, anywhere: false, incomplete: false };
  #preview: api.ImportPreview | undefined;
  #failure: string | undefined;
  #done: Done | undefined;
  #turn = 0;

  /** @param writes whether this browser may write a layer */
  constructor(
    private readonly map: MapView, private readonly catalog: api.Catalog, private readonly panel: Panel,
    private readonly writes: (layer: string) => boolean,
  ) {
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const layers: LayerSpecification[] = [
      { id: "import-area", type: "fill", source: SOURCE, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": COLOUR, "fill-opacity": 0.25 } },
      { id: "import-line", type: "line", source: SOURCE, filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": COLOUR, "line-width": 2.5 } },
      { id: "import-point", type: "circle", source: SOURCE, filter: ["==", ["geometry-type"], "Point"],
        paint: { "circle-color": COLOUR, "circle-radius": 6, "circle-stroke-color": "#ffffff", "circle-stroke-width": 2 } },
    ];
    for (const layer of layers) map.addLayer(layer);
    onLanguage(() => this.#draw());
  }

  /** Called before the panel opens. */
  onOpen: () => void = () => undefined;

  /** Layers into which a file may be imported. */
  layers(): api.Layer[] {
    return this.catalog.layers.filter(({ id }) => this.writes(id) && id !== "commitments").toReversed();
  }

  /** Takes a file that was chosen or dropped. */
  async open(file: File): Promise<void> {
    const layers = this.layers();
    this.onOpen();
    this.#leave();
    this.panel.open(this.#leave);
    this.#file = file;
    this.#done = undefined;
    this.#options = { columns: {}, mode: "add", skip_bad: false, anywhere: false, incomplete: false };
    // The name of the file often names the layer; otherwise it is chosen, because a wrong one is filled all too easily.
    const named = layers.find(({ id, title }) => file.name.includes(id) || file.name.includes(title.zh));
    this.#layer = (layers.length === 1 ? layers[0] : named)?.id ?? "";
    const isKnown = ACCEPTED.some((ending) => file.name.toLowerCase().endsWith(ending));
    this.#failure = !isKnown ? `${say("importWrongKind")}${say("importFormats")}` : layers.length === 0 ? say("importNoLayer") : undefined;
    if (this.#failure === undefined && this.#layer !== "") await this.#send();
    else this.#draw();
  }

  /** The panel is closed, or shows something else: takes the rows off the map and discards the file. */
  readonly #leave = (): void => {
    this.#turn += 1;
    if (this.#preview && !this.#done) void api.discardImport(this.#preview.id).catch(() => undefined);
    this.#file = undefined;
    this.#preview = undefined;
    this.#show(undefined);
  };

  /** Sends the file; a file that was sent for another layer is discarded. */
  async #send(): Promise<void> {
    const file = this.#file;
    if (!file) return;
    if (this.#preview) void api.discardImport(this.#preview.id).catch(() => undefined);
    this.#preview = undefined;
    await this.#load(() => api.sendFile(this.#layer, file));
  }

  async #look(): Promise<void> {
    const id = this.#preview?.id;
    if (id !== undefined) await this.#load(() => api.previewImport(id, this.#options));
  }

  async #load(ask: () => Promise<api.ImportPreview>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#failure = undefined;
    this.panel.busy = true;
    this.#draw();
    try {
      const preview = await ask();
      if (turn !== this.#turn) return;
      this.#preview = preview;
      this.#show(preview.sample);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#failure = error instanceof Error ? error.message : String(error);
    }
    this.panel.busy = false;
    this.#draw();
  }

  /** Draws the first rows and moves the map to them. */
  #show(sample: api.ImportPreview["sample"]): void {
    const features = (sample?.features ?? []).filter(({ geometry }) => geometry !== null) as GeoJSON.Feature<Geometry>[];
    this.map.getSource<GeoJSONSource>(SOURCE)?.setData({ type: "FeatureCollection", features });
    const bounds = new LngLatBounds();
    for (const { geometry } of features) for (const at of positions(geometry)) bounds.extend([at[0]!, at[1]!]);
    if (!bounds.isEmpty()) this.map.fitBounds(bounds, { padding: 80, maxZoom: 14, duration: 0 });
  }

  async #confirm(): Promise<void> {
    const preview = this.#preview;
    if (!preview) return;
    await this.#act(async () => {
      const counts = await api.confirmImport(preview.id, this.#options);
      this.#done = { id: preview.id, counts, isUndone: false };
      this.#show(undefined);
    });
  }

  async #undo(): Promise<void> {
    const done = this.#done;
    if (!done) return;
    await this.#act(async () => {
      await api.undoImport(done.id);
      done.isUndone = true;
    });
  }

  async #act(act: () => Promise<void>): Promise<void> {
    this.#failure = undefined;
    this.panel.busy = true;
    try {
      await act();
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
    }
    this.panel.busy = false;
    this.#draw();
  }

  #draw(): void {
    const file = this.#file;
    if (!file) return;
    const isBusy = this.panel.busy;
    this.panel.draw(say("importTitle"),
      element("div", { class: "question" }, element("p", { class: "where" }, element("strong", {}, file.name)), ...(this.#done ? [] : [this.#target()])),
      ...(this.#failure === undefined ? [] : [element("p", { class: "failed", role: "alert" }, this.#failure)]),
      ...(isBusy && !this.#preview ? [element("p", { class: "quiet", role: "status" }, say("importReading"))] : []),
      ...(this.#done ? this.#result(this.#done) : this.#preview ? this.#steps(this.#preview) : []));
  }

  #target(): HTMLElement {
    const none: [string, string][] = this.#layer === "" ? [["", say("importChooseLayer")]] : [];
    const select = choice([...none, ...this.layers().map(({ id, title }): [string, string] => [id, pick(title)])], this.#layer, (id) => {
      this.#layer = id;
      void this.#send();
    });
    select.dataset.field = "layer";
    return field(say("importInto"), select);
  }

  #steps(preview: api.ImportPreview): HTMLElement[] {
    const { needs, report, counts } = preview;
    const importNow = element("button", { type: "button", class: "commit", disabled: !counts }, say("importNow"));
    importNow.addEventListener("click", () => void this.#confirm());
    const back = element("button", { type: "button", class: "link" }, say("importBack"));
    back.addEventListener("click", () => this.panel.close());
    return [
      ...(needs ? [element("p", { class: "failed", role: "alert", "data-needs": needs.option ?? "" }, needsText(needs))] : []),
      this.#form(preview),
      ...(report ? [this.#summary(report, counts)] : []),
      element("p", { class: "actions plan-actions" }, importNow, back, ...(report && report.refused_count + report.warnings.length > 0 ? this.#reports(preview) : [])),
      ...(report ? [
        ...this.#rowList("importRefused", report.refused_count, report.refused, true),
        ...this.#rowList("importWarnings", report.warnings.length, report.warnings, false),
        ...(report.twins.length > 0 ? [element("details", { class: "excluded" },
          element("summary", {}, `${say("importTwins")} ${number(report.twins.length)}`),
          element("ul", {}, ...report.twins.slice(0, SHOWN_ROWS).map(({ name, ids }) => element("li", {},
            element("span", { class: "name" }, name), element("span", { class: "reasons" }, ids.join(say("listComma")))))))] : []),
      ] : []),
    ];
  }

  #form(preview: api.ImportPreview): HTMLElement {
    const options = this.#options;
    const crs = element("input", {
      type: "text", list: "import-systems", value: options.crs ?? "", placeholder: preview.recognised?.crs ?? say("importCrsDeclared"), "data-field": "crs",
      "aria-invalid": preview.needs?.option === "crs" ? "true" : undefined,
    });
    crs.addEventListener("change", () => this.#set({ crs: crs.value.trim() }));
    const list = element("datalist", { id: "import-systems" }, ...SYSTEMS.map((name) => element("option", { value: name })));
    const mode = choice(Object.entries(MODES).map(([name, word]) => [name, say(word)]), options.mode, (name) => this.#set({ mode: name as api.ImportOptions["mode"] }));
    mode.dataset.field = "mode";
    const fields = preview.fields ?? [];
    const key = choice([["", this.#title("id")], ...fields.map((name): [string, string] => [name, this.#title(name)])], options.key ?? "", (name) => this.#set({ key: name }));
    key.dataset.field = "key";
    const flag = (name: "skip_bad" | "anywhere" | "incomplete", word: Word) => {
      const box = element("input", { type: "checkbox", checked: options[name], "data-field": name });
      box.addEventListener("change", () => this.#set({ [name]: box.checked }));
      return element("label", { class: "chip" }, box, element("span", {}, say(word)));
    };
    return element("div", { class: "conditions import-form" },
      field(say("importCrs"), crs, list),
      field(say("importMode"), mode),
      ...(options.mode === "add" ? [] : [field(say("importKey"), key)]),
      element("div", { class: "chips" }, flag("skip_bad", "importSkipBad"), flag("anywhere", "importAnywhere"), flag("incomplete", "importIncomplete")),
      ...(preview.recognised && preview.recognised.columns.length > 0 ? [this.#columns(preview.recognised, fields)]
        : preview.needs?.columns?.length ? [this.#columns({ columns: preview.needs.columns, matches: this.#chosen(), places: null }, fields)] : []));
  }

  /** Each column of the file and the field that it fills. */
  #columns({ columns, matches, places }: Pick<NonNullable<api.ImportPreview["recognised"]>, "columns" | "matches" | "places">, fields: string[]): HTMLElement {
    const targets = (): [string, string][] => [["", say("importIgnored")], ...["id", "lon", "lat", ...fields].map((name): [string, string] => [name, this.#title(name)])];
    const rows = columns.map((column) => {
      const matched = matches.find((own) => own.column === column)?.field ?? "";
      const select = choice(targets(), matched, (name) => {
        const columns = Object.fromEntries(Object.entries(this.#options.columns).filter(([own, field]) => own !== column && field !== name));
        this.#set({ columns: name === "" ? columns : { ...columns, [column]: name } });
      });
      select.setAttribute("aria-label", column);
      select.dataset.column = column;
      return element("tr", {}, element("th", { scope: "row" }, column), element("td", {}, select));
    });
    const placed = (places ?? []).map((column) => element("tr", {}, element("th", { scope: "row" }, column), element("td", { class: "quiet" }, say("readCoordinates"))));
    return element("details", { open: true }, element("summary", {}, element("span", { class: "label" }, say("importColumns"))),
      element("table", { class: "import-columns" }, element("tbody", {}, ...rows, ...placed)));
  }

  /** The columns whose fields were chosen. */
  #chosen(): { field: string; column: string }[] {
    return Object.entries(this.#options.columns).map(([column, field]) => ({ field, column }));
  }

  #summary(report: NonNullable<api.ImportPreview["report"]>, counts: api.ImportPreview["counts"]): HTMLElement {
    const isClean = report.refused_count === 0;
    return element("div", { class: isClean ? "plan covered" : "plan short", role: "status" },
      element("p", { class: "verdict" }, `${number(report.read)} ${say("importRows")}${say("listComma")}${number(report.taken)} ${say("importTaken")}`
        + (isClean ? "" : `${say("listComma")}${number(report.refused_count)} ${say("importRefused")}`)),
      ...(counts ? [element("p", { class: "quiet" }, countsText(counts))] : []));
  }

  #reports(preview: api.ImportPreview): HTMLElement[] {
    const link = (word: Word, format: "csv" | "xlsx") => {
      const button = element("button", { type: "button", class: "link" }, say(word));
      button.addEventListener("click", () => void this.#act(async () => {
        saveFile(await api.importReport(preview.id, this.#options, format), `${preview.file}.${say("importRefused")}.${format}`);
      }));
      return button;
    };
    return [link("importReport", "csv"), ...(preview.recognised?.table ? [link("importMarked", "xlsx")] : [])];
  }

  #result({ counts, isUndone }: Done): HTMLElement[] {
    const undo = element("button", { type: "button", class: "link" }, say("importUndo"));
    undo.addEventListener("click", () => void this.#undo());
    const hasChanged = counts.new + counts.changed + counts.removed > 0;
    return [
      element("div", { class: "plan covered", role: "status" },
        element("p", { class: "verdict" }, isUndone ? say("importUndone") : say("importDone")),
        ...(isUndone ? [] : [element("p", { class: "quiet" }, countsText(counts))])),
      ...(isUndone || !hasChanged ? [] : [element("p", { class: "actions plan-actions" }, undo)]),
    ];
  }

  #set(change: Partial<api.ImportOptions>): void {
    const { crs, key, ...rest } = { ...this.#options, ...change };
    this.#options = { ...rest, ...(crs ? { crs } : {}), ...(key ? { key } : {}) };
    void this.#look();
  }

  /** The title of a field. */
  #title(name: string): string {
    if (name === "id") return say("identifier");
    if (name === "lon" || name === "lat") return say(name === "lon" ? "longitudeOf" : "latitudeOf");
    const found = this.#field(name);
    return found ? pick(found.title) : name;
  }

  #field(name: string): api.Field | undefined {
    const layer = this.catalog.layers.find(({ id }) => id === this.#layer);
    const contact = layer?.contacts.find((own) => own.name === name);
    return layer?.fields.find((own) => own.name === name) ?? (contact && { ...contact, type: "text" });
  }

  #rowList(word: Word, count: number, rows: api.ImportRow[], isOpen: boolean): HTMLElement[] {
    if (count === 0) return [];
    const fieldOf = (column: string | null) =>
      this.#field(this.#preview?.recognised?.matches.find((own) => own.column === column)?.field ?? column ?? "");
    return [element("details", { class: "excluded", open: isOpen, "data-rows": word },
      element("summary", {}, `${say(word)} ${number(count)}`),
      element("ul", {}, ...rows.slice(0, SHOWN_ROWS).map(({ row, line, column, value, fault, reason }) => element("li", {},
        element("span", { class: "name" }, `${number(line ?? row)} · ${column === "geometry" ? say("place") : column ?? ""}`), element("span", { class: "far" }, value ?? ""),
        element("span", { class: "reasons" }, explainFault(fault, reason, fieldOf(column), this.catalog.codes))))))];
  }
}

function countsText(counts: api.ImportCounts): string {
  const parts: [number, Word][] = [[counts.new, "importNew"], [counts.changed, "importChanged"], [counts.unchanged, "importUnchanged"], [counts.removed, "importRemoved"]];
  return parts.filter(([count]) => count > 0).map(([count, word]) => `${say(word)} ${number(count)}`).join(say("listComma")) || `${say("importUnchanged")} 0`;
}

/** What to do so that the file can be imported. The detail, with names and shares, is in English. */
function needsText({ option, detail }: NonNullable<api.ImportPreview["needs"]>): string {
  const words = { crs: "importNeedsCrs", columns: "importNeedsColumns", column: "importNeedsColumns", sheet: "importNeedsSheet", mode: "importNeedsMode", key: "importNeedsKey" } as const;
  const said = say(words[option as keyof typeof words] ?? "importNeedsFile");
  return language() === "en" ? `${said} (${detail})` : `${said}（${detail}）`;
}

function choice(options: [string, string][], chosen: string, act: (value: string) => void): HTMLSelectElement {
  const select = element("select", {}, ...options.map(([value, label]) => element("option", { value, selected: value === chosen }, label)));
  select.addEventListener("change", () => act(select.value));
  return select;
}

function field(label: string, ...controls: HTMLElement[]): HTMLElement {
  return element("label", { class: "field" }, element("span", {}, label), ...controls);
}

/** All positions of a geometry. */
function positions(geometry: Geometry): Position[] {
  if (geometry.type === "GeometryCollection") return geometry.geometries.flatMap(positions);
  const flat = (own: unknown): Position[] => Array.isArray(own) ? (typeof own[0] === "number" ? [own as Position] : own.flatMap(flat)) : [];
  return flat(geometry.coordinates);
}
