// The surroundings panel: what is inside an area or within distances of a feature or drawing, with bars for each ring, the
// dangers, the nearest help, and links to the printed brief and the table.
import type { Map } from "maplibre-gl";
import type { Geometry, Position } from "geojson";
import { item, surroundings, surroundingsPath, LINE_RADII, type Catalog, type Ring, type Surroundings } from "./api";
import { bar, type Part } from "./charts";
import { element } from "./element";
import { codeOf, distance, number, wind } from "./format";
import { wkt } from "./geometry";
import { language, onLanguage, pick, say } from "./language";
import { PanelRequest, type Panel } from "./panel";
import { Rings } from "./rings";

const UNKNOWN_COLOUR = "#7d8794";
const PEOPLE_COLOUR = "#1d5c96";
const CLOSE_UP_ZOOM = 14;
const MOST_DANGERS = 10;
const LOCATE_TIMEOUT_MS = 10_000;
const STORED: Record<string, string> = { incidents: "incident", warnings: "warning", risk_zones: "zone" };

type Place = { name: string; parameters: Record<string, string>; geometry: () => Promise<Geometry | null> };

export class Around {
  #place: Place | undefined;
  #radii = "";
  #found: Surroundings | undefined;
  readonly #request: PanelRequest;
  readonly #rings: Rings;

  readonly #leave = () => this.clear();

  /** Called before the panel opens. */
  onOpen: () => void = () => undefined;

  constructor(private readonly map: Map, private readonly catalog: Catalog, private readonly panel: Panel) {
    this.#request = new PanelRequest(panel, () => this.#draw());
    this.#rings = new Rings(map);
    onLanguage(() => this.#draw());
  }

  /** The surroundings of a feature; an area without distances is counted as it is. */
  async ofFeature(layer: string, id: string, name: string): Promise<void> {
    const parameter = STORED[layer];
    if (!parameter) return;
    const geometry = async () => (await item(layer, id, AbortSignal.timeout(LOCATE_TIMEOUT_MS))).geometry;
    await this.#open({ name, parameters: { [parameter]: id }, geometry }, "");
  }

  /** Draws the rings that were found; without the geometry there are none on the map. */
  async #drawRings(): Promise<void> {
    const found = this.#found;
    const radii = (found?.rings ?? []).flatMap(({ radius_m: metres }) => (metres === null ? [] : [metres]));
    const geometry = radii.length > 0 ? await this.#place?.geometry().catch(() => null) : null;
    if (found === this.#found) this.#rings.draw(geometry ?? undefined, radii);
  }

  /** The surroundings of a drawing. */
  async ofDrawing(geometry: Geometry): Promise<void> {
    await this.#open({ name: say("drawnShape"), parameters: { near: wkt(geometry) }, geometry: () => Promise.resolve(geometry) }, geometry.type === "LineString" ? LINE_RADII : "");
  }

  /** Leaves the panel to something else. */
  clear(): void {
    this.#request.abort();
    this.#place = undefined;
    this.#found = undefined;
    this.#rings.clear();
  }

  async #open(place: Place, radii: string): Promise<void> {
    this.onOpen();
    this.#place = place;
    this.#radii = radii;
    this.#found = undefined;
    this.panel.open(this.#leave);
    await this.#ask();
  }

  #parameters(place: Place): Record<string, string> {
    return { ...place.parameters, ...(this.#radii === "" ? {} : { radius_m: this.#radii }) };
  }

  async #ask(): Promise<void> {
    const place = this.#place;
    if (!place) return;
    await this.#request.send((signal) => surroundings(this.#parameters(place), signal), (found) => {
      this.#found = found;
      void this.#drawRings();
    });
  }

  #draw(): void {
    const place = this.#place;
    if (!place) return;
    this.panel.draw(say("printBrief"),
      this.panel.keep("around", [place, this.#radii], () =>
        element("div", { class: "question" }, element("p", { class: "where" }, element("strong", {}, place.name)), this.#form(), this.#links(place))),
      ...this.#request.told(this.#found !== undefined), ...(this.#found ? this.#result(this.#found) : []));
  }

  #form(): HTMLElement {
    const field = element("input", { type: "text", inputmode: "numeric", value: this.#radii, placeholder: say("radiiHint"), "aria-label": say("radii"), "data-field": "radii" });
    const form = element("form", {}, element("label", { class: "radii" }, say("radii"), field), element("button", { type: "submit" }, say("ask")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#radii = field.value.split(/[\s,，、;；]+/).filter(Boolean).join(",");
      void this.#ask();
    });
    return form;
  }

  /** The brief and the table have addresses of their own, which can be printed and sent. */
  #links(place: Place): HTMLElement {
    const link = (format: string, word: "brief" | "tableCsv", more: Record<string, string>) =>
      element("a", { class: "link", href: surroundingsPath({ ...this.#parameters(place), f: format, ...(format === "html" ? { lang: language() } : {}) }), ...more }, say(word));
    return element("p", { class: "tools" },
      link("html", "brief", { target: "_blank", rel: "noopener" }), link("csv", "tableCsv", { download: `${place.name}.csv` }));
  }

  #result(found: Surroundings): HTMLElement[] {
    return [this.#people(found.rings), this.#levels(found.rings), this.#counts(found.rings), this.#dangers(found), this.#help(found)];
  }

  /** A section of bars, one for each ring. */
  #bars(title: string, rings: readonly Ring[], partsOf: (ring: Ring) => Part[], note: (ring: Ring) => string): HTMLElement {
    const parts = rings.map(partsOf);
    const sums = parts.map((own) => own.reduce((sum, { value }) => sum + value, 0));
    const greatest = Math.max(0, ...sums);
    return element("section", { class: "chart" }, element("h3", {}, title), ...rings.map((ring, at) => element("div", { class: "row" },
      element("span", { class: "ring" }, ringName(ring)), bar(parts[at]!, greatest, `${ringName(ring)} ${note(ring)}`),
      element("span", { class: "far" }, note(ring)))));
  }

  #people(rings: readonly Ring[]): HTMLElement {
    const people = (ring: Ring) => ring.layers.find(({ layer }) => layer === "villages")?.people;
    return this.#bars(say("peopleInside"), rings, (ring) => [{ value: people(ring)?.known ?? 0, colour: PEOPLE_COLOUR, name: say("people") }],
      (ring) => `${number(people(ring)?.known ?? 0)} ${say("persons")}`);
  }

  /** The dangers of each ring by their level. */
  #levels(rings: readonly Ring[]): HTMLElement {
    const codes = this.catalog.codes.risk_level ?? [];
    const levels = (ring: Ring): Part[] => {
      const counts = new globalThis.Map<string, number>();
      for (const own of ring.layers.filter(({ layer }) => layer !== "risk_zones")) {
        for (const { code, count } of own.by?.risk_level ?? []) counts.set(String(code), (counts.get(String(code)) ?? 0) + count);
      }
      const known = codes.map((code) => ({ value: counts.get(String(code.code)) ?? 0, colour: code.color ?? UNKNOWN_COLOUR, name: pick(code) }));
      return [...known, { value: counts.get("null") ?? 0, colour: UNKNOWN_COLOUR, name: say("unknown") }];
    };
    const chart = this.#bars(say("dangersByLevel"), rings, levels, (ring) => number(levels(ring).reduce((sum, { value }) => sum + value, 0)));
    const last = rings.at(-1);
    const legend = (last ? levels(last) : []).filter(({ value }) => value > 0).map(({ name, value, colour }) => {
      const row = element("span", { class: "level" }, `${name} ${number(value)}`);
      row.style.setProperty("--level", colour);
      return row;
    });
    chart.append(element("p", { class: "levels" }, ...legend));
    return chart;
  }

  #counts(rings: readonly Ring[]): HTMLElement {
    const last = rings.at(-1);
    const count = (ring: Ring, id: string) => ring.layers.find(({ layer }) => layer === id)?.count ?? 0;
    return element("section", {}, element("h3", {}, say("countsByLayer")), element("table", { class: "counts" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, say("layer")), ...rings.map((ring) => element("th", { scope: "col", class: "n" }, ringName(ring))))),
      element("tbody", {}, ...(last?.layers ?? []).map(({ layer, title }) =>
        element("tr", {}, element("th", { scope: "row" }, pick(title)), ...rings.map((ring) => element("td", { class: "n" }, number(count(ring, layer)))))))));
  }

  #dangers({ secondary_hazards: dangers, more_secondary_hazards: more }: Surroundings): HTMLElement {
    const rest = Math.max(0, dangers.length - MOST_DANGERS) + more;
    return element("section", { "data-list": "dangers" }, element("h3", {}, say("dangers")),
      dangers.length === 0 ? element("p", { class: "quiet" }, say("noDangers")) : element("ol", {}, ...dangers.slice(0, MOST_DANGERS).map((danger, at) => {
        const level = codeOf(this.catalog.codes.risk_level, danger.risk_level);
        const rank = element("span", { class: "rank" }, String(at + 1));
        if (level?.color) rank.style.setProperty("background", level.color);
        const facts = [level ? pick(level) : say("unknown"), danger.kind ? pick(danger.kind) : ""].filter(Boolean).join(" · ");
        return this.#row(rank, danger.name ?? danger.id, distance(danger.distance_m), facts, danger.place);
      })),
      rest > 0 ? element("p", { class: "quiet" }, `${say("andMore")} ${number(rest)}`) : undefined);
  }

  #help({ help }: Surroundings): HTMLElement {
    return element("section", { "data-list": "help" }, element("h3", {}, say("nearestTitle")), element("ol", {}, ...help.flatMap(({ title, features }) =>
      features.map((near, at) => this.#row(element("span", { class: "rank" }, String(at + 1)), near.name ?? near.id,
        near.distance_m < 1 ? say("here") : distance(near.distance_m),
        [pick(title), near.bearing_deg === null ? "" : wind(near.bearing_deg)].filter(Boolean).join(" · "), near.place)))));
  }

  #row(rank: HTMLElement, name: string, far: string, facts: string, place: Position | null): HTMLElement {
    const button = element("button", { type: "button", disabled: place === null }, rank,
      element("span", { class: "name" }, name), element("span", { class: "far" }, far), element("span", { class: "facts" }, facts));
    button.addEventListener("click", () => place && this.map.flyTo({ center: [place[0]!, place[1]!], zoom: Math.max(this.map.getZoom(), CLOSE_UP_ZOOM) }));
    return element("li", {}, button);
  }
}

function ringName({ radius_m: metres }: Ring): string {
  return metres === null ? say("insideArea") : distance(metres).replace(".0 ", " ");
}

/** The parameters of a drawing for its brief. */
export function drawnParameters(geometry: Geometry): string {
  return new URLSearchParams({ near: wkt(geometry), ...(geometry.type === "LineString" ? { radius_m: LINE_RADII } : {}) }).toString();
}
