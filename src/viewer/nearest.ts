// The query panel for nearest resources: location, form, results and lines on the map; its state is kept in the URL.
import { LngLat, LngLatBounds, type Map as MapView, type StyleSpecification } from "maplibre-gl";
import { item, nearestOf, routeOf, search, ServerError, type Answer, type Catalog, type Properties, type Result, type Route } from "./api";
import { keepInAddress, questionInAddress } from "./address";
import { drawnParameters } from "./around";
import { AnswerLines } from "./answers";
import type { Offer } from "./commitments";
import { element } from "./element";
import { coordinates } from "./format";
import { boundsOf, positionsOf } from "./geometry";
import { language, onLanguage, pick, say } from "./language";
import { noticeWith, settle } from "./notices";
import {
  ASKED_LAYERS, conditionsOf, emptyQuestion, parametersOf, parsePoint, WAYS, wayOf, type Place, type Question, type Way,
} from "./question";
import { QuestionForm, summaryOf, type Township } from "./question_form";
import { Results } from "./results";
import type { Panel } from "./panel";
import type { Found } from "./popup";
import { signOf } from "./signs";

/** Minimum distance of the query point from the edge of the map, pixels. */
const MARGIN_PX = 60;

/** Number of journeys that are drawn as lines. */
const MOST_ROUTES = 12;
const BEGIN_TIMEOUT_MS = 2_000;
const WAY_WORDS = { line: "byLine", road: "byRoad", walk: "byWalk" } as const satisfies Record<Way, string>;

/** Whether the initial URL has a map view. */
const OPENED_WITH_VIEW = /[#&]map=/.test(location.hash);

/** The township at the point; opens its card. */
export type TownshipLink = { name: string; open: () => void };

export class NearestPanel {
  /** Promises resources, for the feature from which the query starts; undefined if this browser may not. */
  onCommit: ((offers: Offer[], incident?: string) => void) | undefined;
  /** A query begins or ends; the panel belongs to it. */
  onChange: (() => void) | undefined;
  /** The map moves to a result. */
  onChoose: ((found: Found, at: LngLat) => void) | undefined;
  readonly #lines: AnswerLines;
  readonly #form: QuestionForm;
  readonly #results: Results;
  #question: Question | undefined;
  #township: TownshipLink | undefined;
  #answer: Answer | undefined;
  #failure: string | undefined;
  #formOpen = false;
  #request = new AbortController();

  constructor(
    private readonly map: MapView,
    style: StyleSpecification,
    private readonly catalog: Catalog,
    private readonly townships: readonly Township[],
    private readonly panel: Panel,
  ) {
    const layers = ASKED_LAYERS.filter((id) => catalog.layers.some((layer) => layer.id === id));
    this.#lines = new AnswerLines(map, Object.fromEntries(layers.map((id) => [id, signOf(style, id, { status: "standby" }).fill])));
    this.#form = new QuestionForm(catalog, townships, (change) => this.#question && void this.#pose({ ...this.#question, ...change }));
    this.#results = new Results(style, catalog, (layer, { id, geometry, properties }) => {
      const [lon, lat] = geometry.coordinates as [number, number];
      this.onChoose?.({ layer, id, name: String(properties.name ?? id) }, new LngLat(lon, lat));
      this.map.flyTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), 14) });
    });
    this.#results.onCommit = () => this.onCommit && ((offers) => {
      const place = this.#question?.place;
      this.onCommit?.(offers, place?.kind === "feature" ? place.id : undefined);
    });
    onLanguage(() => {
      this.#draw();
      this.#drawLines();
    });
    window.addEventListener("hashchange", () => void this.askAddress());
  }

  /** Runs the query in the URL, if it has one. */
  async askAddress(): Promise<void> {
    const { question, refused } = questionInAddress(this.catalog);
    warnOfAddress(refused);
    if (!question) return;
    if (conditionsOf(question) > 0) this.#openForm();
    await this.#pose(question);
    if (this.#question && !OPENED_WITH_VIEW) this.#zoomToAnswers();
  }

  /** Runs the query from another location with the same conditions. */
  async ask(place: Place, township?: TownshipLink): Promise<void> {
    this.#township = township;
    await this.#pose(this.#question ? { ...this.#question, place } : await this.#begin(place));
  }

  /** A new query. From a danger it asks for what is fit for it, outside its zones. */
  async #begin(place: Place): Promise<Question> {
    if (place.kind !== "feature" || place.geometry) return emptyQuestion(place);
    try {
      const { located, properties } = await load(place, AbortSignal.timeout(BEGIN_TIMEOUT_MS));
      const danger = [properties.hazard, properties.kind].find((code) => this.catalog.codes.hazard?.some((own) => own.code === code));
      return { ...emptyQuestion(located), ...(typeof danger === "string" ? { hazard: [danger], avoid: [danger] } : {}) };
    } catch {
      // The query says what is wrong.
      return emptyQuestion(place);
    }
  }

  /** Repeats an open query after a change in a layer; the old results stay until new ones arrive. */
  async changed(layerId: string): Promise<void> {
    const question = this.#question;
    if (!question) return;
    const { place, avoid } = question;
    // Roads, and incidents that close them.
    if (wayOf(question) !== WAYS[0] && (layerId === "roads" || layerId === "incidents")) return this.#ask();
    const moved = place.kind === "feature" && place.layer === layerId;
    const avoided = layerId === "risk_zones" ? avoid.length > 0 : avoid.includes(layerId);
    if (!moved && !avoided && !question.layers.includes(layerId)) return;
    if (moved) this.#question = { ...question, place: { ...place, geometry: undefined } };
    await this.#ask();
  }

  /** Repeats an open query after unknown changes. */
  async refresh(): Promise<void> {
    const question = this.#question;
    if (!question) return;
    // The place may have moved; a drawn one cannot.
    if (question.place.kind === "feature" && question.place.layer !== "") this.#question = { ...question, place: { ...question.place, geometry: undefined } };
    await this.#ask();
  }

  /** The panel is closed, or shows something else. */
  readonly #leave = (): void => {
    this.onChange?.();
    this.#request.abort();
    this.#question = undefined;
    this.#answer = undefined;
    this.#lines.clear();
    keepInAddress(undefined);
  };

  async #pose(question: Question): Promise<void> {
    this.onChange?.();
    const isElsewhere = JSON.stringify(question.place) !== JSON.stringify(this.#question?.place);
    this.#question = question;
    keepInAddress(question);
    if (isElsewhere) {
      this.#answer = undefined;
      this.#failure = undefined;
      if (question.place.kind === "point") this.#lines.ask(question.place.lon, question.place.lat);
      else this.#lines.clear();
      this.#reveal();
    }
    this.#draw();
    await this.#ask();
  }

  /** A new query cancels the previous one. */
  async #ask(): Promise<void> {
    this.#request.abort();
    const request = new AbortController();
    this.#request = request;
    this.panel.busy = true;
    try {
      await this.#locate(request.signal);
      const question = this.#question;
      if (!question || request.signal.aborted) return;
      const parameters = parametersOf(question);
      const { place } = question;
      if (place.kind === "point") parameters.set("point", `${place.lon},${place.lat}`);
      this.#answer = await nearestOf(parameters, place.kind === "feature" ? place.geometry : undefined, request.signal);
      this.#failure = undefined;
    } catch (error) {
      if (request.signal.aborted) return;
      this.#answer = undefined;
      this.#failure = error instanceof ServerError ? error.message : String(error);
    }
    if (request.signal.aborted) return;
    const isByRoad = this.#question !== undefined && wayOf(this.#question) !== WAYS[0];
    this.#results.routes = isByRoad ? new Map() : undefined;
    this.#draw();
    this.#drawLines();
    if (isByRoad) await this.#loadRoutes(request.signal);
    if (!request.signal.aborted) this.panel.busy = false;
  }

  /** Loads the lines of the journeys: people go to shelters, others come. A line that cannot be loaded is not drawn. */
  async #loadRoutes(signal: AbortSignal): Promise<void> {
    const [question, answer, centre] = [this.#question, this.#answer, this.#centre()];
    if (!question || !answer || !centre) return;
    const found = answer.features.slice(0, MOST_ROUTES).map(async (result): Promise<[Result, Route][]> => {
      const goes = String(result.properties.layer ?? answer.layers[0]?.layer) === "shelters";
      const [from, to] = goes ? [centre, result.geometry.coordinates] : [result.geometry.coordinates, centre];
      const route = await routeOf(from, to, wayOf(question), signal).catch(() => undefined);
      return route ? [[result, route]] : [];
    });
    const routes = new Map((await Promise.all(found)).flat());
    if (signal.aborted) return;
    this.#results.routes = routes;
    this.#draw();
    this.#drawLines();
  }

  /** Loads the geometry and the name of the feature from which the query starts. */
  async #locate(signal: AbortSignal): Promise<void> {
    const question = this.#question;
    if (question?.place.kind !== "feature" || question.place.geometry) return;
    this.#question = { ...question, place: (await load(question.place, signal)).located };
    this.#reveal();
  }

  /**
   * Opens the panel. The map gets narrower and keeps its centre; if the query point would be hidden, it is moved to the
   * centre. On narrow screens the panel opens from below.
   */
  #reveal(): void {
    const wasHidden = this.panel.isHidden;
    const centre = this.map.getCenter();
    const before = this.map.getContainer().clientWidth;
    this.panel.open(this.#leave);
    const after = this.map.getContainer().clientWidth;
    const point = this.#centre();
    const { x, y } = point ? this.map.project(point) : { x: after / 2, y: 0 };
    const height = this.map.getContainer().clientHeight;
    const isOut = point && (x < MARGIN_PX || x > after - MARGIN_PX || y < MARGIN_PX || y > height - MARGIN_PX);
    if (!isOut && !(wasHidden && after !== before)) return;
    this.map.panBy([(after - before) / 2, 0], { duration: 0 });
    this.map.easeTo({ center: isOut ? point : centre });
  }

  #centre(): [number, number] | undefined {
    const place = this.#question?.place;
    if (!place) return undefined;
    if (place.kind === "point") return [place.lon, place.lat];
    const bounds = boundsOf(place.geometry ?? null);
    return bounds && [(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2];
  }

  #zoomToAnswers(): void {
    const bounds = new LngLatBounds();
    const place = this.#question?.place;
    if (place?.kind === "point") bounds.extend([place.lon, place.lat]);
    else for (const position of positionsOf(place?.geometry ?? null)) bounds.extend(position);
    for (const { geometry } of this.#answer?.features ?? []) bounds.extend(geometry.coordinates as [number, number]);
    if (bounds.isEmpty()) return;
    this.map.fitBounds(bounds, {
      maxZoom: 15, padding: Math.min(MARGIN_PX, this.map.getContainer().clientHeight / 5),
    });
  }

  #drawLines(): void {
    const place = this.#question?.place;
    if (!place || !this.#answer) return;
    this.#lines.draw(place.kind === "point" ? { type: "Point", coordinates: [place.lon, place.lat] } : place.geometry, this.#answer, this.#results.routes);
  }

  /** The form of the conditions, if it is shown. */
  get #shownForm(): HTMLDetailsElement | null {
    return this.panel.element.querySelector<HTMLDetailsElement>(".ask-form");
  }

  #openForm(): void {
    this.#formOpen = true;
    if (this.#shownForm) this.#shownForm.open = true;
  }

  #draw(): void {
    const question = this.#question;
    if (!question) return;
    const panel = this.panel.element;
    // The toggle event is late when the page is busy.
    this.#formOpen = this.#shownForm?.open ?? this.#formOpen;
    const focus = focusMark(panel);
    const { scrollTop } = panel;
    this.panel.draw(say("nearestTitle"),
      this.panel.keep("place", [question.place, this.#township?.name], () => this.#place(question)),
      this.#way(question),
      this.panel.keep("conditions", { ...question, place: undefined, by: undefined }, () => this.#conditions(question)),
      ...(this.#answer?.stale ? [element("p", { class: "failed", role: "alert" }, say("answerStale"))] : []),
      ...(this.#failure !== undefined ? [element("p", { class: "failed", role: "alert" }, say("askFailed"), this.#failure)] : []),
      ...(this.#answer
        ? [...this.#results.draw(question, this.#answer), element("p", { class: "quiet foot" }, say(wayOf(question) === WAYS[0] ? "straightLine" : "byRoadNote"))]
        : this.#failure === undefined ? [element("p", { class: "quiet", role: "status" }, say("loading"))] : []));
    panel.scrollTop = scrollTop;
    if (focus) panel.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true });
  }

  /** How near is measured; journeys begin at a point. */
  #way(question: Question): HTMLElement {
    const isPoint = wayOf({ ...question, by: "road" }) === "road";
    const choices = WAYS.map((way) => {
      const radio = element("input", { type: "radio", name: "by", value: way, checked: way === wayOf(question), "data-field": "by", disabled: !isPoint });
      radio.addEventListener("change", () => void this.#pose({ ...question, by: way }));
      return element("label", { class: "chip" }, radio, element("span", {}, say(WAY_WORDS[way])));
    });
    return element("div", { class: "way chips", role: "radiogroup", "aria-label": say("measuredBy") },
      element("span", { class: "quiet", "aria-hidden": "true" }, say("measuredBy")), ...choices,
      isPoint ? undefined : element("p", { class: "quiet" }, say("wayNeedsPoint")));
  }

  #conditions(question: Question): HTMLElement {
    const summary = summaryOf(question, this.catalog, this.townships);
    return element("details", { class: "ask-form", open: this.#formOpen },
      element("summary", {}, element("span", { class: "label" }, say("conditions")),
        element("span", { class: summary ? "chosen" : "chosen quiet" }, summary || say("noCondition"))),
      this.#form.draw(question));
  }

  /** The query location, and a field for another one by coordinates or name. */
  #place({ place }: Question): HTMLElement {
    const centre = this.#centre();
    const input = element("input", {
      type: "text", value: place.kind === "point" ? `${place.lon},${place.lat}` : place.name, "aria-label": say("placeInput"),
      placeholder: say("placeInput"), spellcheck: "false", enterkeyhint: "search", maxlength: 100,
    });
    const form = element("form", { role: "search" }, input, element("button", { type: "submit" }, say("ask")));
    input.addEventListener("input", () => input.setCustomValidity(""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#askFor(input);
    });
    const where = element("p", { class: "where" });
    if (this.#township && place.kind === "point") where.append(this.#link(this.#township.name, this.#township.open, say("inTownship")), " ");
    if (place.kind === "feature") {
      const layer = this.catalog.layers.find(({ id }) => id === place.layer);
      where.append(element("strong", {}, place.name || place.id), ` ${layer ? pick(layer.title) : place.layer}`, language() === "zh" ? "　" : "  ");
    }
    if (centre && place.kind === "point") where.append(coordinates(...centre));
    const zoom = this.#link(say("seeAnswers"), () => this.#zoomToAnswers());
    const copy = this.#link(say("copyLink"), () => void navigator.clipboard?.writeText(location.href).then(() => (copy.textContent = say("copied"))));
    const of = place.kind === "point" ? `point=${place.lon},${place.lat}` : place.layer === "" && place.geometry ? drawnParameters(place.geometry) : BRIEF_OF[place.layer] ? `${BRIEF_OF[place.layer]}=${encodeURIComponent(place.id)}` : centre && `point=${centre.join(",")}`;
    const brief = element("a", { class: "link brief", target: "_blank", rel: "noopener", href: `api/surroundings?${of}&f=html&lang=${language()}` }, say("printBrief"));
    return element("div", { class: "question" }, where, form, element("p", { class: "tools" }, zoom, copy, of ? brief : undefined));
  }

  async #askFor(input: HTMLInputElement): Promise<void> {
    const text = input.value.trim();
    let place = parsePoint(text);
    if (!place && text !== "") {
      const centre = this.map.getCenter();
      const hit = (await search(text, centre.lng, centre.lat, 1, new AbortController().signal).catch(() => undefined))?.features[0];
      if (hit) place = { kind: "feature", layer: hit.properties.layer, id: hit.id, name: hit.properties.name ?? hit.id };
    }
    if (!place) {
      input.setCustomValidity(say("badPlace"));
      input.reportValidity();
      return;
    }
    await this.ask(place);
    const at = this.#centre();
    if (at) this.map.easeTo({ center: at });
  }

  #link(text: string, action: () => void, title?: string): HTMLButtonElement {
    const button = element("button", { type: "button", class: "link", title }, text);
    button.addEventListener("click", action);
    return button;
  }
}

/** Loads the feature from which a query starts. */
async function load({ layer, id }: Place & { kind: "feature" }, signal: AbortSignal): Promise<{ located: Place; properties: Properties }> {
  const { geometry, properties } = await item(layer, id, signal);
  if (!geometry) throw new ServerError(0, say("noPlace"));
  return { located: { kind: "feature", layer, id, name: String(properties.name ?? id), geometry }, properties };
}

/** Warns of parts of the URL that the query does not have. */
function warnOfAddress(refused: string[]): void {
  if (refused.length === 0) settle("address");
  else noticeWith("address", "badAddress", [{ word: "understood", act: () => settle("address") }], () => refused.join(say("listComma")));
}

/** Layers whose features have surroundings reports. */
const BRIEF_OF: Record<string, string> = { incidents: "incident", warnings: "warning", risk_zones: "zone" };

/** A selector that finds the focused element again after the panel was redrawn. */
function focusMark(panel: HTMLElement): string | undefined {
  const focused = document.activeElement;
  if (!(focused instanceof HTMLElement) || !panel.contains(focused)) return undefined;
  const { field, item: code, id } = focused.dataset;
  if (field) return `[data-field="${field}"]${focused instanceof HTMLInputElement && ["checkbox", "radio"].includes(focused.type) ? `[value="${CSS.escape(focused.value)}"]` : ""}`;
  if (code) return `[data-item="${CSS.escape(code)}"]`;
  if (id) return `li [data-id="${CSS.escape(id)}"]`;
  if (focused.closest(".ask-form > summary")) return ".ask-form > summary";
  const fold = focused.closest<HTMLElement>("[data-fold]")?.dataset.fold;
  return fold ? `[data-fold="${fold}"] > summary` : undefined;
}
