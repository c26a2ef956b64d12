// The search field in the header: names, pinyin, initials, codes; arrow keys and Enter select a result and open its
// card.
import { LngLat, type Map } from "maplibre-gl";
import { item, search, type Catalog, type Hit } from "./api";
import { element } from "./element";
import { distance } from "./format";
import { boundsOf, type LonLat } from "./geometry";
import { onLanguage, pick, say } from "./language";
import type { Card } from "./popup";

/** Pause in typing before a request is sent. */
const PAUSE_MS = 120;
const SHOWN = 8;
const CLOSE_UP_ZOOM = 15;
const FIT_PADDING_PX = 60;
/** Two decimal numbers with a sign between them. */
const POSITION = /^(-?\d{1,3}(?:\.\d+)?)\s*[,，;\s]\s*(-?\d{1,3}(?:\.\d+)?)$/;

export class Search {
  readonly #field: HTMLInputElement;
  readonly #list: HTMLElement;
  #hits: Hit[] = [];
  #chosen = -1;
  #request = new AbortController();
  #pause = 0;
  /** Whether the results for the current text have arrived, and whether Enter was pressed before. */
  #settled = true;
  #chooseFirst = false;

  /** Queries the nearest resources to a position that was typed. */
  onPosition: ((lon: number, lat: number) => void) | undefined;

  constructor(private readonly map: Map, private readonly catalog: Catalog, private readonly card: Card, box: HTMLElement) {
    this.#list = element("ul", { id: "search-hits", role: "listbox", hidden: true });
    this.#field = element("input", {
      type: "search", role: "combobox", "aria-controls": "search-hits", "aria-expanded": "false", "aria-autocomplete": "list",
      autocomplete: "off", spellcheck: "false", maxlength: "100",
    });
    box.replaceChildren(this.#field, this.#list);
    box.hidden = false;
    onLanguage(() => {
      this.#field.placeholder = say("searchHint");
      this.#field.setAttribute("aria-label", say("search"));
      this.#list.setAttribute("aria-label", say("search"));
      this.#draw();
    });
    this.#field.addEventListener("input", () => this.#askSoon());
    this.#field.addEventListener("focus", () => this.#show(this.#hits.length > 0));
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("blur", () => this.#show(false));
    // A press beside the rows keeps the focus in the field.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
  }

  #askSoon(): void {
    // Results for an earlier text cannot be selected.
    this.#hits = [];
    this.#chosen = -1;
    this.#chooseFirst = false;
    this.#settled = this.#field.value.trim() === "";
    this.#list.setAttribute("aria-busy", "true");
    window.clearTimeout(this.#pause);
    this.#pause = window.setTimeout(() => void this.#ask(), PAUSE_MS);
  }

  async #ask(): Promise<void> {
    this.#request.abort();
    const request = new AbortController();
    this.#request = request;
    const words = this.#field.value.trim();
    try {
      const centre = this.map.getCenter();
      const position = positionIn(words);
      this.#hits = words === "" ? [] : position ? [atPosition(position)] : (await search(words, centre.lng, centre.lat, SHOWN, request.signal)).features;
      if (request.signal.aborted) return;
      this.#draw(words !== "" && this.#hits.length === 0 ? say("nothingFound") : undefined);
    } catch (error) {
      if (request.signal.aborted) return;
      this.#hits = [];
      this.#draw(say("askFailed") + (error instanceof Error ? error.message : String(error)));
    }
    this.#settled = true;
    this.#list.setAttribute("aria-busy", "false");
    this.#show(words !== "" && document.activeElement === this.#field);
    const first = this.#hits[0];
    if (this.#chooseFirst && first) this.#choose(first);
    this.#chooseFirst = false;
  }

  #key(event: KeyboardEvent): void {
    // Keys that an input method handles are ignored.
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#hits.length > 0) {
      event.preventDefault();
      const count = this.#hits.length;
      this.#chosen = this.#chosen < 0 && step < 0 ? count - 1 : (this.#chosen + step + count) % count;
      this.#draw();
    } else if (event.key === "Enter") {
      // The card focuses its close button; the same keystroke must not activate it.
      event.preventDefault();
      const hit = this.#hits[Math.max(this.#chosen, 0)];
      if (hit) this.#choose(hit);
      else this.#chooseFirst = !this.#settled;
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.#hits = [];
      this.#show(false);
    }
  }

  #choose(hit: Hit): void {
    this.#show(false);
    this.#field.blur();
    if (!hit.geometry) return;
    const [lon, lat] = hit.geometry.coordinates as [number, number];
    const { layer } = hit.properties;
    const isPoint = layer === "" || this.catalog.layers.find(({ id }) => id === layer)?.geometry === "point";
    if (isPoint) this.map.flyTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), CLOSE_UP_ZOOM) });
    else void this.#fit(layer, hit.id, [lon, lat]);
    if (layer === "") {
      this.onPosition?.(lon, lat);
      return;
    }
    const found = { layer: hit.properties.layer, id: hit.id, name: hit.properties.name ?? hit.id };
    this.card.open([found], new LngLat(lon, lat), () => this.#field.focus());
  }

  /** Shows the whole of a line or area. */
  async #fit(layer: string, id: string, inside: LonLat): Promise<void> {
    const request = new AbortController();
    this.#request = request;
    let bounds: ReturnType<typeof boundsOf>;
    try {
      bounds = boundsOf((await item(layer, id, request.signal)).geometry);
    } catch {
      // The card says what went wrong; the position inside is known.
    }
    if (request.signal.aborted) return;
    if (bounds) this.map.fitBounds(bounds, { padding: FIT_PADDING_PX, maxZoom: CLOSE_UP_ZOOM });
    else this.map.flyTo({ center: inside, zoom: CLOSE_UP_ZOOM });
  }

  #draw(instead?: string): void {
    const rows = this.#hits.map((hit, at) => {
      const layer = this.catalog.layers.find((one) => one.id === hit.properties.layer);
      const far = hit.properties.distance_m === null ? "" : distance(hit.properties.distance_m);
      const row = element("li", { role: "option", id: `search-hit-${at}`, "aria-selected": String(at === this.#chosen), "data-id": hit.id },
        element("span", { class: "name" }, hit.properties.name ?? hit.id),
        element("span", { class: "quiet" }, hit.properties.layer === "" ? say("position") : layer ? pick(layer.title) : hit.properties.layer, " ", far));
      // mousedown precedes the loss of focus of the field.
      row.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.#choose(hit);
      });
      return row;
    });
    this.#list.replaceChildren(...(instead === undefined ? rows : [element("li", { class: "quiet", role: "status" }, instead)]));
    if (this.#chosen >= 0) this.#field.setAttribute("aria-activedescendant", `search-hit-${this.#chosen}`);
    else this.#field.removeAttribute("aria-activedescendant");
  }

  #show(open: boolean): void {
    this.#list.hidden = !open;
    this.#field.setAttribute("aria-expanded", String(open));
  }
}

/** A typed longitude and latitude; the other order is understood where only one of both is possible. */
function positionIn(words: string): LonLat | undefined {
  const [, first, second] = POSITION.exec(words) ?? [];
  if (first === undefined || second === undefined) return undefined;
  const [a, b] = [Number(first), Number(second)];
  if (Math.abs(a) <= 180 && Math.abs(b) <= 90) return [a, b];
  return Math.abs(a) <= 90 && Math.abs(b) <= 180 ? [b, a] : undefined;
}

/** A position as a hit, which belongs to no layer. */
function atPosition([lon, lat]: LonLat): Hit {
  return {
    type: "Feature", id: "", geometry: { type: "Point", coordinates: [lon, lat] },
    properties: { layer: "", name: `${lon}, ${lat}`, matched: "position", distance_m: null },
  };
}
