// The results of a query: rank, distance, direction, amounts or contributions, and the reasons for exclusions.
import type { StyleSpecification } from "maplibre-gl";
import type { Amounts, Answer, Catalog, Excluded, Layer, LayerSummary, Reason, Result, Route, StockItem } from "./api";
import type { Offer } from "./commitments";
import { element } from "./element";
import { codeLabel, codeOf, distance, duration, number, time, wind } from "./format";
import { language, pick, say } from "./language";
import { demandOf, isPlan, type Question } from "./question";
import { signOf, swatch } from "./signs";

/** Maximum number of rows of a layer; a covering set may have hundreds. */
const MOST_ROWS = 60;
/** Number of areas on a journey that are named. */
const CROSSED_SHOWN = 2;
/** Number of stock items shown for a depot if the query names none. */
const STOCK_SHOWN = 3;

export class Results {
  constructor(
    private readonly style: StyleSpecification,
    private readonly catalog: Catalog,
    private readonly onChoose: (layer: string, result: Result) => void,
  ) {}

  /** Promises resources; undefined if this browser may not. */
  onCommit: (() => ((offers: Offer[]) => void) | undefined) = () => undefined;

  /** The journeys to the results, if these are by road. */
  routes: ReadonlyMap<Result, Route> | undefined;

  draw(question: Question, answer: Answer): HTMLElement[] {
    return answer.layers.flatMap((summary) => {
      const layer = this.catalog.layers.find(({ id }) => id === summary.layer);
      return layer ? [this.#group(question, layer, summary, resultsOf(answer, summary.layer))] : [];
    });
  }

  #group(question: Question, layer: Layer, summary: LayerSummary, results: Result[]): HTMLElement {
    const plan = isPlan(question);
    const sign = signOf(this.style, layer.id, { status: "standby" });
    const section = element("section", { "data-layer": layer.id }, element("h3", {}, swatch(sign), pick(layer.title)));
    if (plan) section.append(this.#plan(question, layer, summary, results));
    else if (results.length === 0) section.append(element("p", { class: "quiet" }, say(demandOf(question, layer.id) ? "noneFits" : "nothingNear")));
    if (results.length > 0) section.append(element("ol", {}, ...results.slice(0, MOST_ROWS).map((result) => this.#row(question, layer, result))));
    if (plan && summary.covered) {
      section.append(...this.#commitButton(results.flatMap((result) => offerOf(question, layer.id, result) ?? []), "commitAll"));
    }
    if (results.length > MOST_ROWS) section.append(element("p", { class: "quiet" }, `+ ${number(results.length - MOST_ROWS)}`));
    const excluded = summary.excluded ?? [];
    if (excluded.length > 0) section.append(this.#excluded(excluded, summary.more_excluded ?? 0, results.length === 0));
    return section;
  }

  /** The total of a covering set, and the missing amounts. */
  #plan(question: Question, layer: Layer, summary: LayerSummary, results: Result[]): HTMLElement {
    const missing = summary.uncovered ? this.#amounts(summary.uncovered) : [];
    const demand: string[] = [];
    if (layer.id === "shelters" && question.people !== undefined) demand.push(`${number(question.people)} ${say("persons")}`);
    if (layer.id === "teams") demand.push(...question.skills.map((code) => codeLabel(this.catalog.codes.skill, code)));
    if (layer.id === "depots") demand.push(...question.items.map(({ code, quantity }) => `${codeLabel(this.catalog.codes.stock_item, code)} ${number(quantity)}`));
    const longest = Math.max(...results.map(({ properties }) => Number(properties.duration_s ?? NaN)));
    const farthest = distance(Math.max(...results.map(({ properties }) => Number(properties.distance_m))));
    const limit = Number.isNaN(longest) ? farthest : duration(longest);
    return element("div", { class: summary.covered ? "plan covered" : "plan short", role: "status" },
      element("p", { class: "verdict" }, say(summary.covered ? "covered" : "notCovered"), demand.join(say("listComma"))),
      ...(results.length > 0
        ? [element("p", { class: "quiet" }, `${number(results.length)} ${say("placesTogether")} ${limit}`)] : []),
      ...(missing.length > 0 ? [element("p", { class: "missing" }, say("stillMissing"), missing.join(say("listComma")))] : []));
  }

  #row(question: Question, layer: Layer, result: Result): HTMLElement {
    const { properties } = result;
    const metres = Number(properties.distance_m);
    const seconds = properties.duration_s;
    const way = Number(properties.road_m) + Number(properties.access_m);
    const far = typeof seconds === "number" ? `${duration(seconds)} · ${distance(way)}` : metres < 1 ? say("here") : `${wind(Number(properties.bearing_deg))} ${distance(metres)}`;
    const reasons = (properties.reasons as Reason[] | undefined) ?? [];
    const button = element("button", { type: "button", "data-id": result.id },
      element("span", { class: "rank", "aria-hidden": "true" }, String(properties.rank)),
      element("span", { class: "name" }, String(properties.name ?? result.id)),
      element("span", { class: "far" }, far),
      element("span", { class: "facts" }, ...this.#facts(question, layer, result)),
      ...(reasons.length > 0 ? [element("span", { class: "reasons" }, reasonWords(reasons))] : []));
    button.addEventListener("click", () => this.onChoose(layer.id, result));
    const offer = offerOf(question, layer.id, result);
    return element("li", {}, button, ...(offer ? this.#commitButton([offer], "commit") : []));
  }

  #commitButton(offers: Offer[], word: "commit" | "commitAll"): HTMLElement[] {
    const act = this.onCommit();
    if (!act || offers.length === 0) return [];
    const button = element("button", { type: "button", class: "commit" }, say(word));
    if (offers.length === 1) button.setAttribute("aria-label", `${say(word)}: ${offers[0]!.name}`);
    button.addEventListener("click", () => act(offers));
    return [button];
  }

  #facts(question: Question, layer: Layer, result: Result): HTMLElement[] {
    const { properties } = result;
    const facts: HTMLElement[] = [];
    const fact = (text: string, kind = "") => facts.push(element("span", { class: `fact ${kind}` }, text));
    const journey = this.routes?.get(result)?.properties;
    if (journey && journey.crosses.length > 0) fact(crossed(journey.crosses), "doubt");
    if (journey && journey.detour_s >= 60) fact(`${say("detour")} ${duration(journey.detour_s)}`, "doubt");
    if (properties.contributes) fact(`${say("contributes")} ${this.#amounts(properties.contributes as Amounts).join(say("listComma"))}`, "gives");
    if (properties.eligibility === "unknown") fact(say("notKnownToFit"), "doubt");
    if (properties.eligibility === "partial") fact(say("fitsInPart"), "doubt");
    if (layer.id === "shelters" && !properties.contributes) {
      const free = typeof properties.free_places === "number" ? properties.free_places : undefined;
      const built = question.night ? properties.capacity_night : properties.capacity;
      const capacity = typeof built === "number" ? ` / ${number(built)}` : "";
      fact(`${say(question.night ? "freePlacesNight" : "freePlaces")} ${free === undefined ? say("unknown") : number(free)}${capacity}`,
        free === undefined ? "doubt" : free > 0 ? "good" : "bad");
    }
    if (layer.id === "teams") {
      fact(`${say("people")} ${typeof properties.people === "number" ? number(properties.people) : say("unknown")}`);
      const skills = Array.isArray(properties.skills) ? properties.skills as string[] : [];
      if (skills.length > 0) fact(skills.map((code) => codeLabel(this.catalog.codes.skill, code)).join(say("listComma")));
    }
    if (layer.id === "depots" && !properties.contributes) facts.push(...this.#stock(question, properties.stock));
    for (const name of ["status", "level"]) {
      const field = layer.fields.find((one) => one.name === name);
      if (!field?.codes) continue;
      const value = properties[name];
      fact(value === undefined || value === null ? `${pick(field.title)} ${say("unknown")}` : codeLabel(this.catalog.codes[field.codes], value));
    }
    const confirmed = properties.confirmed_at;
    fact(`${say("confirmedAt")} ${typeof confirmed === "string" ? time(confirmed) : say("unknown")}`, confirmed ? "quiet" : "doubt");
    return facts;
  }

  /** The available quantities of the requested items, or of the first few items. */
  #stock(question: Question, stock: unknown): HTMLElement[] {
    const lines = Array.isArray(stock) ? stock as StockItem[] : [];
    const requested = question.items.map(({ code }) => code);
    const shown = requested.length > 0 ? lines.filter(({ item_code: code }) => requested.includes(String(code))) : lines.slice(0, STOCK_SHOWN);
    const facts = shown.map(({ item_code: code, name, quantity, promised, unit }) => {
      const title = language() === "en" && codeOf(this.catalog.codes.stock_item, code) ? codeLabel(this.catalog.codes.stock_item, code) : name ?? String(code);
      const amount = typeof quantity === "number" ? number(Math.max(0, quantity - (promised ?? 0))) : say("unknown");
      return element("span", { class: requested.length > 0 ? "fact good" : "fact" }, `${title} ${amount}${language() === "zh" ? ` ${unit ?? ""}` : ""}`.trim());
    });
    const more = requested.length > 0 ? 0 : lines.length - shown.length;
    return more > 0 ? [...facts, element("span", { class: "fact" }, `+${number(more)}`)] : facts;
  }

  #excluded(excluded: Excluded[], more: number, open: boolean): HTMLElement {
    const count = excluded.length + more;
    return element("details", { class: "excluded", open },
      element("summary", {}, `${say("nearerExcluded")} ${number(count)}`),
      element("ul", {}, ...excluded.map(({ id, name, distance_m: metres, reasons }) => element("li", { "data-id": id },
        element("span", { class: "name" }, name ?? id),
        element("span", { class: "far" }, distance(metres)),
        element("span", { class: "reasons" }, reasonWords(reasons))))),
      ...(more > 0 ? [element("p", { class: "quiet" }, `${say("andMore")} ${number(more)}`)] : []));
  }

  #amounts({ people, skills, items }: Amounts): string[] {
    return [
      ...(people > 0 ? [`${number(people)} ${say("persons")}`] : []),
      ...skills.map((code) => codeLabel(this.catalog.codes.skill, code)),
      ...items.map(({ item_code: code, quantity }) => `${codeLabel(this.catalog.codes.stock_item, code)} ${number(quantity)}`),
    ];
  }
}

/** The areas that a journey crosses: events first, then the worst zones; the others are counted. */
function crossed(areas: Route["properties"]["crosses"]): string {
  const names = areas.toSorted((a, b) => (a.risk_level ?? 0) - (b.risk_level ?? 0)).map(({ name, id }) => name ?? id);
  const more = names.length - CROSSED_SHOWN;
  return `${say("crosses")} ${names.slice(0, CROSSED_SHOWN).join(say("listComma"))}${more > 0 ? ` +${number(more)}` : ""}`;
}

/** What a result can promise for a question: what it contributes, or what was asked; undefined if nothing was asked of a depot. */
function offerOf(question: Question, layer: string, { id, properties }: Result): Offer | undefined {
  const own = properties.contributes as Amounts | undefined;
  const offer = { layer, id: String(id), name: String(properties.name ?? id) };
  if (layer === "shelters") return { ...offer, people: own?.people ?? question.people, night: question.night };
  if (layer === "teams") return offer;
  const items = own?.items.map(({ item_code: code, quantity }) => ({ code, quantity })) ?? question.items;
  return items.length > 0 ? { ...offer, items } : undefined;
}

/** The results of one layer; with a heading if several layers were queried. */
export function resultsOf(answer: Answer, layer: string): Result[] {
  return answer.features.filter(({ properties }) => (properties.layer ?? answer.layers[0]?.layer) === layer);
}

function reasonWords(reasons: readonly Reason[]): string {
  return reasons.map((reason) => pick(reason)).join(language() === "zh" ? "；" : "; ");
}
