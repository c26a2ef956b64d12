// Two audits: places with people inside risk zones, and villages too far from help. Each is drawn over the dimmed map and
// has a panel with its limits, a table by township, a list, the table as CSV, and a page to print.
import type { CircleLayerSpecification, GeoJSONSource, Map } from "maplibre-gl";
import { audit, auditPath, type Audit, type AuditName, type Catalog, type Item } from "./api";
import { element } from "./element";
import { codeLabel, codeOf, distance, number, time } from "./format";
import { boundsOf } from "./geometry";
import { onLanguage, pick, say } from "./language";
import { notice, settle } from "./notices";
import type { Township } from "./question_form";
import { PanelRequest, type Panel } from "./panel";
import type { Word } from "./words";

type Paint = NonNullable<CircleLayerSpecification["paint"]>;
type Limit = { name: string; word: Word; least: number; most: number; value: number };

const NAMES = ["siting", "coverage"] as const;
const HELP: [string, Word, string][] = [["shelter", "shelterFar", "shelters"], ["team", "teamFar", "teams"], ["depot", "depotFar", "depots"]];
const FINE = "#137a43";
const INSIDE = "#b3182d";
const CLOSE = "#c2571a";
const VEIL = "audit-veil";
const CLOSE_UP_ZOOM = 14;
const TOWNSHIP_DIGITS = 9;
/** Maximum number of findings in the list; the table as CSV has all. */
const SHOWN = 200;

export class Audits {
  #open: AuditName | undefined;
  #found: Audit | undefined;
  #township: string | undefined;
  readonly #request: PanelRequest;
  readonly #limits: Record<AuditName, Limit[]> = {
    siting: [{ name: "margin_m", word: "margin", least: 0, most: 10_000, value: 0 }, { name: "level", word: "worstLevel", least: 1, most: 4, value: 4 }],
    coverage: HELP.map(([name, word]) => ({ name: `${name}_m`, word, least: 1, most: 100_000, value: name === "shelter" ? 3_000 : 10_000 })),
  };

  readonly #leave = () => this.clear();

  /** Called before the panel opens. */
  onOpen: () => void = () => undefined;

  constructor(
    private readonly map: Map, private readonly catalog: Catalog, private readonly townships: readonly Township[],
    private readonly menu: HTMLElement, private readonly panel: Panel,
  ) {
    this.#request = new PanelRequest(panel, () => this.#draw());
    onLanguage(() => {
      this.#drawMenu();
      this.#draw();
    });
  }

  /** Requests the open audit again after a change in a layer. */
  async changed(): Promise<void> {
    if (this.#open) await this.#load();
  }

  /** Takes the audit off the map; the panel may show something else already. */
  clear(): void {
    this.#request.abort();
    this.#open = this.#found = this.#township = undefined;
    this.#show();
    this.#drawMenu();
  }

  #drawMenu(): void {
    this.menu.replaceChildren(element("section", { "aria-label": say("audits") },
      element("h2", {}, say("audits")), ...NAMES.map((name) => this.#row(name))));
  }

  #row(name: AuditName): HTMLElement {
    const box = element("input", { type: "checkbox", checked: this.#open === name });
    box.addEventListener("change", () => void this.#toggle(name, box.checked));
    return element("label", { class: "layer", "data-audit": name, title: say(name === "siting" ? "sitingHint" : "coverageHint") },
      box, element("span", { class: "name" }, say(name)),
      element("span", { class: "count" }, this.#open === name && this.#found ? number(this.#findings().length) : ""));
  }

  async #toggle(name: AuditName, on: boolean): Promise<void> {
    if (!on) {
      this.panel.close();
      return;
    }
    this.onOpen();
    this.#open = name;
    this.#found = this.#township = undefined;
    this.panel.open(this.#leave);
    this.map.fitBounds(this.catalog.county.bounds, { padding: 30 });
    this.#drawMenu();
    await this.#load();
  }

  #parameters(name: AuditName): Record<string, string> {
    const given = this.#limits[name].filter(({ name, value, most }) => name !== "level" || value < most);
    return Object.fromEntries(given.map(({ name, value }) => [name, String(value)]));
  }

  async #load(): Promise<void> {
    const name = this.#open;
    if (!name) return;
    await this.#request.send((signal) => audit(name, this.#parameters(name), signal), (found) => {
      const { failure } = this.#request;
      if (failure === undefined) settle("audit");
      else notice("audit", "askFailed", () => failure, () => void this.#load());
      // After a failure the last findings stay.
      this.#found = found ?? this.#found;
      this.#show();
      this.#drawMenu();
    });
  }

  /** What does not meet the limits. */
  #findings(): Item[] {
    const all = this.#found?.features ?? [];
    return this.#open === "siting" ? all : all.filter(({ properties }) => beyond(properties).length > 0)
      .toSorted((a, b) => beyond(b.properties).length - beyond(a.properties).length || Number(b.properties.people ?? 0) - Number(a.properties.people ?? 0));
  }

  /** Draws the open audit over a veil, which dims the other layers. */
  #show(): void {
    for (const name of NAMES) {
      const id = `audit-${name}`;
      const features = { type: "FeatureCollection" as const, features: this.#open === name ? this.#found?.features ?? [] : [] };
      const source = this.map.getSource<GeoJSONSource>(id);
      if (source) source.setData(features);
      else if (features.features.length > 0) {
        if (!this.map.getLayer(VEIL)) this.map.addLayer({ id: VEIL, type: "background", paint: { "background-color": "#f3f0e8", "background-opacity": 0.62 } });
        this.map.addSource(id, { type: "geojson", data: features });
        this.map.addLayer({ id, type: "circle", source: id, paint: this.#paint(name) });
      }
      if (this.map.getLayer(id)) this.map.setLayoutProperty(id, "visibility", this.#open === name ? "visible" : "none");
    }
    if (this.map.getLayer(VEIL)) this.map.setLayoutProperty(VEIL, "visibility", this.#open ? "visible" : "none");
  }

  #paint(name: AuditName): Paint {
    if (name === "siting") {
      return {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 5, 15, 12],
        "circle-color": ["case", ["get", "inside"], INSIDE, CLOSE], "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.6,
      };
    }
    const [, one, two, three] = this.#steps();
    return {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 4, 15, 13],
      "circle-color": ["step", ["length", ["get", "beyond"]], FINE, 1, one!, 2, two!, 3, three!],
      "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.2,
    };
  }

  /** The colours for 0 to 3 limits that are exceeded: those of the risk levels. */
  #steps(): string[] {
    return [FINE, ...[3, 2, 1].map((level) => codeOf(this.catalog.codes.risk_level, level)?.color ?? INSIDE)];
  }

  #draw(): void {
    const name = this.#open;
    if (!name) return;
    this.panel.draw(say(name),
      element("p", { class: "printed" }, `${pick(this.catalog.county.title)} · ${time(new Date().toISOString())} · ${say("dataVersion")} ${this.#found?.data_version ?? ""}`),
      this.panel.keep("audit", [name, this.#parameters(name)], () =>
        element("div", { class: "question" }, element("p", { class: "quiet" }, say(name === "siting" ? "sitingHint" : "coverageHint")), this.#form(name), this.#links(name), this.#legend(name))),
      ...this.#request.told(this.#found !== undefined), ...(this.#found ? [this.#table(name), this.#list(name)] : []));
  }

  #form(name: AuditName): HTMLElement {
    const fields = this.#limits[name].map((limit) => {
      const field = element("input", { type: "number", min: limit.least, max: limit.most, step: 1, value: limit.value, required: true, "data-field": limit.name });
      return { limit, field, row: element("label", { class: "field" }, say(limit.word), field) };
    });
    const form = element("form", { class: "limits" }, ...fields.map(({ row }) => row), element("button", { type: "submit" }, say("ask")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      for (const { limit, field } of fields) limit.value = Number(field.value);
      void this.#load();
    });
    return form;
  }

  #links(name: AuditName): HTMLElement {
    const print = element("button", { type: "button", class: "link" }, say("print"));
    print.addEventListener("click", () => window.print());
    const table = element("a", { class: "link", href: auditPath(name, { ...this.#parameters(name), f: "csv" }), download: `${say(name)}.csv` }, say("tableCsv"));
    return element("p", { class: "tools" }, table, print);
  }

  #legend(name: AuditName): HTMLElement {
    const entries: [string, string][] = name === "siting" ? [[INSIDE, say("insideZone")], [CLOSE, say("nearZone")]]
      : this.#steps().map((colour, count) => [colour, count === 0 ? say("withinLimits") : `${number(count)} ${say("limitsExceeded")}`]);
    return element("p", { class: "levels", "data-legend": name }, ...entries.map(([colour, words]) => {
      const entry = element("span", { class: "level" }, words);
      entry.style.setProperty("--level", colour);
      return entry;
    }));
  }

  /** Findings and people by township; a click shows only those of one. */
  #table(name: AuditName): HTMLElement {
    const rows = this.townships.map(({ code, name }) => {
      const own = this.#findings().filter((finding) => isIn(finding, code));
      return { code, name, count: own.length, people: peopleOf(own) };
    }).filter(({ count }) => count > 0).toSorted((a, b) => b.people - a.people || b.count - a.count);
    return element("section", { "data-list": "townships" }, element("h3", {}, say("byTownship")), element("table", { class: "counts" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, say("inTownship")),
        element("th", { scope: "col", class: "n" }, say(name === "siting" ? "places" : "villagesBeyond")), element("th", { scope: "col", class: "n" }, say("people")))),
      element("tbody", {}, ...rows.map(({ code, name, count, people }) => {
        const choose = element("button", { type: "button", class: "link", "aria-pressed": String(this.#township === code) }, name);
        choose.addEventListener("click", () => this.#choose(this.#township === code ? undefined : code));
        return element("tr", {}, element("th", { scope: "row" }, choose), element("td", { class: "n" }, number(count)), element("td", { class: "n" }, number(people)));
      }))));
  }

  #choose(township: string | undefined): void {
    this.#township = township;
    this.#draw();
    const own = this.#findings().filter((finding) => township === undefined || isIn(finding, township));
    const bounds = boundsOf({ type: "GeometryCollection", geometries: own.map(({ geometry }) => geometry) });
    if (bounds) this.map.fitBounds(bounds, { padding: 80, maxZoom: CLOSE_UP_ZOOM });
  }

  #list(name: AuditName): HTMLElement {
    const own = this.#findings().filter((finding) => this.#township === undefined || isIn(finding, this.#township));
    return element("section", { "data-list": "findings" },
      element("h3", {}, say("findings"), element("span", { class: "tally" }, number(own.length))),
      own.length === 0 ? element("p", { class: "quiet" }, say("noFindings")) : element("ol", {}, ...own.slice(0, SHOWN).map((finding, at) => this.#finding(name, finding, at))),
      own.length > SHOWN ? element("p", { class: "quiet" }, `${say("andMore")} ${number(own.length - SHOWN)}`) : undefined);
  }

  #finding(name: AuditName, { id, geometry, properties }: Item, at: number): HTMLElement {
    const people = typeof properties.people === "number" ? `${number(properties.people)} ${say("persons")}` : say("unknown");
    const button = element("button", { type: "button", "data-id": id },
      element("span", { class: "rank" }, number(at + 1)),
      element("span", { class: "name" }, String(properties.name ?? id)), element("span", { class: "far" }, people),
      element("span", { class: "facts" }, ...(name === "siting" ? this.#zone(properties) : this.#distances(properties))));
    const bounds = boundsOf(geometry);
    button.addEventListener("click", () => bounds && this.map.fitBounds(bounds, { padding: 80, maxZoom: CLOSE_UP_ZOOM + 1 }));
    return element("li", {}, button);
  }

  /** Distances to help; those beyond their limit are marked. */
  #distances(properties: Item["properties"]): HTMLElement[] {
    const far = new Set(beyond(properties));
    return HELP.map(([name, , layer]) => {
      const metres = properties[`${name}_m`];
      const title = this.catalog.layers.find(({ id }) => id === layer)?.title;
      return element("span", { class: far.has(name) ? "fact bad" : "fact" },
        `${title ? pick(title) : layer} ${typeof metres === "number" ? distance(metres) : say("unknown")}`);
    });
  }

  /** The zone of a finding of the siting audit. */
  #zone(properties: Item["properties"]): HTMLElement[] {
    const { hazard, risk_level: level, zone_name: zone, inside, edge_m: edge } = properties;
    const where = inside ? say("insideZone") : `${say("nearZone")} ${distance(Number(edge))}`;
    return [
      element("span", { class: inside ? "fact bad" : "fact doubt" }, where),
      element("span", { class: "fact" }, [codeLabel(this.catalog.codes.hazard, hazard), level === null ? "" : codeLabel(this.catalog.codes.risk_level, level)].filter(Boolean).join(" · ")),
      ...(typeof zone === "string" ? [element("span", { class: "fact" }, zone)] : []),
    ];
  }
}

function beyond(properties: Item["properties"]): string[] {
  return Array.isArray(properties.beyond) ? properties.beyond.map(String) : [];
}

function isIn({ properties }: Item, township: string): boolean {
  return String(properties.region_code ?? "").slice(0, TOWNSHIP_DIGITS) === township.slice(0, TOWNSHIP_DIGITS);
}

/** People of distinct places: a place in two zones is two findings. */
function peopleOf(findings: readonly Item[]): number {
  const places = new globalThis.Map(findings.map(({ id, properties }) => [String(properties.id ?? id), Number(properties.people ?? 0)]));
  return [...places.values()].reduce((sum, people) => sum + people, 0);
}
