// The ticker and the board of a wall screen: the newest incidents and warnings, and the stations over their threshold.
import type { Map } from "maplibre-gl";
import { items, type Catalog, type Item } from "./api";
import { element, part } from "./element";
import { fieldValue, time } from "./format";
import { boundsOf } from "./geometry";
import { onLanguage, say } from "./language";
import { isOver, type Occurrence, type Situation } from "./situation";
import { ageWords, type SituationPanel } from "./situation_panel";

const LAYER = "stations";
const OVER = "value >= threshold";
/** Maximum number of stations on the board. */
const SHOWN = 60;
const NEWS = 10;
const UPDATE_EVERY_MS = 60_000;
/** Delay that combines changes in quick succession. */
const SOON_MS = 5_000;
/** Speed of the ticker, at scale 1. */
const PIXELS_PER_S = 60;
const CLOSE_UP_ZOOM = 13;

export class Ticker {
  #stations: Item[] = [];
  #news: readonly Occurrence[] = [];
  #soon = 0;
  #said = "";

  constructor(private readonly map: Map, private readonly catalog: Catalog, private readonly panel: SituationPanel, situation: Situation) {
    part("ticker").hidden = part("board").hidden = false;
    situation.onChange((all) => {
      this.#news = all.filter((one) => !isOver(one)).toSorted((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0)).slice(0, NEWS);
      this.#draw();
    });
    onLanguage(() => this.#draw());
    void this.#load();
    setInterval(() => void this.#load(), UPDATE_EVERY_MS);
  }

  /** Called after a change in a layer; without an id, anything may have changed. */
  changed(layer?: string): void {
    if (layer !== undefined && layer !== LAYER) return;
    this.#soon ||= window.setTimeout(() => {
      this.#soon = 0;
      void this.#load();
    }, SOON_MS);
  }

  async #load(): Promise<void> {
    if (!this.catalog.layers.some(({ id }) => id === LAYER)) return;
    try {
      this.#stations = (await items(LAYER, { filter: OVER, limit: String(SHOWN), sortby: "-observed_at" })).features as Item[];
    } catch {
      // The header says that the server cannot be reached; the last readings stay, with their times.
    }
    this.#draw();
  }

  #draw(): void {
    this.#drawBoard();
    const news = this.#news.map((one) => `${one.name} ${this.panel.stateWords(one)} ${ageWords(one)}`);
    const readings = this.#stations.map((station) => `${String(station.properties.name)} ${this.#reading(station)}`);
    const said = [...news, ...(readings.length > 0 ? [`${say("stationsOver")}${say("colon")}${readings.join(say("listComma"))}`] : [])];
    if (said.join("\n") === this.#said) return;
    // The ticker starts again only when it says something else.
    this.#said = said.join("\n");
    const run = (hidden: boolean) => element("ul", { "aria-hidden": hidden ? "true" : undefined }, ...said.map((text) => element("li", {}, text)));
    const track = element("div", { class: "track" }, run(false), run(true));
    part("ticker").replaceChildren(track);
    track.style.setProperty("--seconds", String(Math.round(track.scrollWidth / 2 / PIXELS_PER_S)));
  }

  #drawBoard(): void {
    const rows = this.#stations.map((station) => {
      const button = element("button", { type: "button", "data-id": station.id },
        element("span", { class: "name" }, String(station.properties.name ?? station.id)),
        element("span", { class: "value" }, this.#reading(station)),
        element("span", { class: "quiet" }, `${say("threshold")} ${this.#field(station, "threshold")}`),
        element("span", { class: "quiet when" }, time(String(station.properties.observed_at)).slice(-5)));
      button.addEventListener("click", () => {
        const at = boundsOf(station.geometry);
        if (at) this.map.flyTo({ center: [at[0], at[1]], zoom: Math.max(this.map.getZoom(), CLOSE_UP_ZOOM) });
      });
      return element("li", {}, button);
    });
    part("board").replaceChildren(
      element("header", {}, element("h2", {}, say("stationsOver")), element("span", { class: "tally" }, String(rows.length))),
      rows.length === 0 ? element("p", { class: "quiet" }, say("noStationsOver")) : element("ul", {}, ...rows));
  }

  #reading(station: Item): string {
    return this.#field(station, "value");
  }

  #field(station: Item, name: string): string {
    const field = this.catalog.layers.find(({ id }) => id === LAYER)?.fields.find((one) => one.name === name);
    return (field && fieldValue(field, station.properties, this.catalog.codes)) ?? say("unknown");
  }
}
