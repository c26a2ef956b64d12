// The panel that answers "what is nearest here": shelters, teams and depots around a point, in rank order.
import { LngLatBounds, type Map, type StyleSpecification } from "maplibre-gl";
import { nearest, ServerError, type Answer, type Catalog, type Layer, type Properties } from "./api";
import { AnswerLines } from "./answers";
import { element } from "./element";
import { codeLabel, coordinates, distance, number, time, wind } from "./format";
import { onLanguage, pick, say } from "./language";
import { signOf, swatch } from "./signs";

const ASKED_LAYERS = ["shelters", "teams", "depots"];
const ANSWERS_EACH = 3;
/** How far from the edge of the map's free part a point must stand to be seen well. */
const MARGIN_PX = 60;

type Place = { lon: number; lat: number };
type Outcome = { layer: Layer; answer?: Answer; failure?: string };
/** What stands at the point and opens its card. */
export type Standing = { name: string; open: () => void };

export class NearestPanel {
  readonly #lines: AnswerLines;
  readonly #layers: Layer[];
  #place: Place | undefined;
  #township: Standing | undefined;
  #outcomes: Outcome[] = [];
  #asking = new AbortController();

  constructor(
    private readonly map: Map,
    private readonly style: StyleSpecification,
    private readonly catalog: Catalog,
    private readonly panel: HTMLElement,
  ) {
    this.#layers = ASKED_LAYERS.flatMap((id) => catalog.layers.filter((layer) => layer.id === id));
    this.#lines = new AnswerLines(map, Object.fromEntries(
      this.#layers.map((layer) => [layer.id, signOf(style, layer.id, { status: "standby" }).fill])));
    onLanguage(() => {
      this.#draw();
      if (this.#place) this.#drawLines();
    });
  }

  /** Asks all three at once; an earlier question still under way is dropped. */
  async ask(place: Place, township?: Standing): Promise<void> {
    this.#asking.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#place = { lon: round(place.lon), lat: round(place.lat) };
    this.#township = township;
    this.#outcomes = [];
    this.#reveal(this.#place);
    this.#lines.ask(this.#place.lon, this.#place.lat);
    this.#draw();
    await this.#answer(asking);
  }

  /** Something changed in a layer: an open question is asked again, and its answers stay until new ones are there. */
  async changed(layerId: string): Promise<void> {
    if (!this.#place || !this.#layers.some((layer) => layer.id === layerId)) return;
    this.#asking.abort();
    this.#asking = new AbortController();
    await this.#answer(this.#asking);
  }

  async #answer(asking: AbortController): Promise<void> {
    if (!this.#place) return;
    this.panel.setAttribute("aria-busy", "true");
    const { lon, lat } = this.#place;
    const outcomes = await Promise.all(this.#layers.map(async (layer): Promise<Outcome> => {
      try {
        return { layer, answer: await nearest(layer.id, lon, lat, ANSWERS_EACH, asking.signal) };
      } catch (error) {
        return { layer, failure: error instanceof ServerError ? error.message : String(error) };
      }
    }));
    if (asking.signal.aborted) return;
    this.#outcomes = outcomes;
    this.#draw();
    this.#drawLines();
    this.panel.setAttribute("aria-busy", "false");
  }

  close(): void {
    this.#asking.abort();
    this.#place = undefined;
    this.panel.hidden = true;
    document.body.classList.remove("answering");
    this.panel.setAttribute("aria-busy", "false");
    this.#lines.clear();
    this.map.getCanvas().focus();
  }

  /**
   * Opens the panel over the map. Beside the map it moves the map only when it would hide the asked point; from below,
   * on a telephone, it always brings the point into the strip between the card and itself.
   */
  #reveal({ lon, lat }: Place): void {
    this.panel.hidden = false;
    document.body.classList.add("answering");
    const { x, y } = this.map.project([lon, lat]);
    const frame = this.map.getContainer().getBoundingClientRect();
    const { left, top, width } = this.panel.getBoundingClientRect();
    const besideMap = width < frame.width;
    const hidden = besideMap ? frame.left + x - left : frame.top + y - top;
    if (hidden > -MARGIN_PX || !besideMap) this.map.panBy(besideMap ? [hidden + 2 * MARGIN_PX, 0] : [0, hidden + MARGIN_PX / 2]);
  }

  #zoomToAnswers(): void {
    if (!this.#place) return;
    const bounds = new LngLatBounds();
    bounds.extend([this.#place.lon, this.#place.lat]);
    for (const { answer } of this.#outcomes) {
      for (const { geometry } of answer?.features ?? []) bounds.extend(geometry.coordinates as [number, number]);
    }
    const frame = this.map.getContainer().getBoundingClientRect();
    const { width, height } = this.panel.getBoundingClientRect();
    const besideMap = width < frame.width;
    this.map.fitBounds(bounds, {
      maxZoom: 15,
      padding: { top: MARGIN_PX, left: MARGIN_PX, right: MARGIN_PX + (besideMap ? width : 0), bottom: MARGIN_PX + (besideMap ? 0 : height) },
    });
  }

  #drawLines(): void {
    if (!this.#place) return;
    this.#lines.draw(this.#place.lon, this.#place.lat, this.#outcomes.flatMap(({ answer }) => answer ?? []));
  }

  #draw(): void {
    const place = this.#place;
    if (!place) return;
    const close = element("button", { type: "button", class: "close", "aria-label": say("close"), title: say("close") }, "×");
    close.addEventListener("click", () => this.close());
    const stale = this.#outcomes.some(({ answer }) => answer?.stale);
    this.panel.replaceChildren(
      element("header", {}, element("h2", {}, say("nearestTitle")), close),
      this.#question(place),
      ...(stale ? [element("p", { class: "failed", role: "alert" }, say("answerStale"))] : []),
      ...(this.#outcomes.length === 0
        ? [element("p", { class: "quiet", role: "status" }, say("loading"))]
        : [...this.#outcomes.map((outcome) => this.#group(outcome)), element("p", { class: "quiet foot" }, say("straightLine"))]));
  }

  /** Where it was asked, and a field to ask elsewhere by coordinates. */
  #question(place: Place): HTMLElement {
    const input = element("input", {
      type: "text", value: `${place.lon},${place.lat}`, "aria-label": say("coordinatesInput"), inputmode: "decimal", spellcheck: "false",
    });
    const form = element("form", {}, input, element("button", { type: "submit" }, say("ask")));
    input.addEventListener("input", () => input.setCustomValidity(""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const asked = parse(input.value);
      if (!asked) {
        input.setCustomValidity(say("badCoordinates"));
        input.reportValidity();
        return;
      }
      this.map.easeTo({ center: [asked.lon, asked.lat] });
      void this.ask(asked);
    });
    const where = element("p", { class: "where" }, coordinates(place.lon, place.lat));
    const township = this.#township;
    if (township) {
      const button = element("button", { type: "button", class: "link", title: say("inTownship") }, township.name);
      button.addEventListener("click", township.open);
      where.prepend(button, " ");
    }
    const zoom = element("button", { type: "button", class: "link" }, say("seeAnswers"));
    zoom.addEventListener("click", () => this.#zoomToAnswers());
    const brief = element("a", {
      class: "link brief", target: "_blank", rel: "noopener", href: `api/surroundings?point=${place.lon},${place.lat}&f=html`,
    }, say("printBrief"));
    return element("div", { class: "question" }, where, form, element("p", { class: "tools" }, zoom, " ", brief));
  }

  #group({ layer, answer, failure }: Outcome): HTMLElement {
    const sign = signOf(this.style, layer.id, { status: "standby" });
    const section = element("section", { "data-layer": layer.id }, element("h3", {}, swatch(sign), pick(layer.title)));
    if (failure !== undefined) section.append(element("p", { class: "failed", role: "alert" }, say("askFailed"), failure));
    else if (!answer || answer.features.length === 0) section.append(element("p", { class: "quiet" }, say("nothingNear")));
    else section.append(element("ol", {}, ...answer.features.map((feature) => this.#row(layer, feature))));
    return section;
  }

  #row(layer: Layer, feature: Answer["features"][number]): HTMLElement {
    const properties = feature.properties;
    const name = String(properties.name ?? feature.id);
    const metres = Number(properties.distance_m);
    const far = metres < 1 ? say("here") : `${wind(Number(properties.bearing_deg))} ${distance(metres)}`;
    const button = element("button", { type: "button", "data-id": feature.id },
      element("span", { class: "rank", "aria-hidden": "true" }, String(properties.rank)),
      element("span", { class: "name" }, name),
      element("span", { class: "far" }, far),
      element("span", { class: "facts" }, ...this.#facts(layer, properties)));
    button.addEventListener("click", () => {
      const [lon, lat] = feature.geometry.coordinates as [number, number];
      this.map.flyTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), 14) });
    });
    return element("li", {}, button);
  }

  #facts(layer: Layer, properties: Properties): HTMLElement[] {
    const facts: HTMLElement[] = [];
    const fact = (text: string, kind = "") => facts.push(element("span", { class: `fact ${kind}` }, text));
    if (layer.id === "shelters") {
      const free = typeof properties.free_places === "number" ? properties.free_places : undefined;
      const capacity = typeof properties.capacity === "number" ? ` / ${number(properties.capacity)}` : "";
      fact(`${say("freePlaces")} ${free === undefined ? say("unknown") : number(free)}${capacity}`,
        free === undefined ? "doubt" : free > 0 ? "good" : "bad");
    }
    if (properties.standing === "unknown") fact(say("notKnownToFit"), "doubt");
    if (layer.id === "teams") {
      fact(`${say("people")} ${typeof properties.people === "number" ? number(properties.people) : say("unknown")}`);
    }
    for (const name of ["status", "level"]) {
      const field = layer.fields.find((one) => one.name === name);
      if (!field?.codes) continue;
      const value = properties[name];
      fact(value === undefined || value === null
        ? `${pick(field.title)} ${say("unknown")}`
        : codeLabel(this.catalog.codes[field.codes], value));
    }
    const confirmed = properties.confirmed_at;
    fact(`${say("confirmedAt")} ${typeof confirmed === "string" ? time(confirmed) : say("unknown")}`,
      confirmed ? "quiet" : "doubt");
    return facts;
  }
}

/** "118.863,26.221", with Chinese commas and blanks forgiven. */
function parse(text: string): Place | undefined {
  const [lon, lat, ...more] = text.trim().split(/[\s,，、;；]+/).map(Number);
  if (lon === undefined || lat === undefined || more.length > 0) return undefined;
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? { lon, lat } : undefined;
}

/** A millionth of a degree is a hand's breadth. */
function round(degrees: number): number {
  return Number(degrees.toFixed(6));
}
