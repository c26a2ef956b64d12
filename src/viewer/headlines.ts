// Current figures: free places, ready teams, depots, people in warning areas, stations over their threshold.
import { items, nearestOf, type Catalog, type StockItem } from "./api";
import { element, part } from "./element";
import { age, number } from "./format";
import { onLanguage, say } from "./language";
import { isNight } from "./question";
import type { Word } from "./words";

type Figure = { word: Word; value: string; note?: string; doubt?: boolean; list?: string };

const LAYERS = ["shelters", "teams", "depots"];
/** Maximum number of features in a reply; a layer with more is not summed. */
const MOST = 1_000;
const OVER = "value >= threshold";
/** The stations over their threshold as a page. */
const OVER_LIST = `ogc/collections/stations/items?${new URLSearchParams({ f: "html", filter: OVER, sortby: "-observed_at", limit: "100" }).toString()}`;
/** Maximum age of a reading. */
const OLD_S = 86_400;
/** Delay that combines changes in quick succession. */
const SOON_MS = 5_000;

export class Headlines {
  #resources: { freePlaces?: number; teams?: number; depots?: number; kinds: number; night: boolean } | undefined;
  #stations: { over: number; observedAt: number | undefined } | undefined;
  #people: { people: number; isExact: boolean } | undefined;
  #soon = 0;

  constructor(private readonly catalog: Catalog) {
    onLanguage(() => this.#draw());
    void this.#load();
  }

  /** Called after a change in a layer; without an id, anything may have changed. */
  changed(layerId?: string): void {
    if (layerId !== undefined && ![...LAYERS, "stations"].includes(layerId)) return;
    this.#soon ||= window.setTimeout(() => {
      this.#soon = 0;
      void this.#load();
    }, SOON_MS);
  }

  people(people: { people: number; isExact: boolean } | undefined): void {
    this.#people = people;
    this.#draw();
  }

  /** Requests each figure separately; a failed one is omitted. */
  async #load(): Promise<void> {
    await Promise.all([
      this.#loadResources().catch(() => (this.#resources = undefined)),
      this.#loadStations().catch(() => (this.#stations = undefined)),
    ]);
    this.#draw();
  }

  /** Resources of this county that the server counts as ready. */
  async #loadResources(): Promise<void> {
    const layers = LAYERS.filter((id) => this.catalog.layers.some((layer) => layer.id === id));
    if (layers.length === 0) return;
    const night = isNight() && layers.includes("shelters");
    const { center: [lon, lat], code } = this.catalog.county;
    const reply = await nearestOf(new URLSearchParams({
      point: `${lon},${lat}`, layer: layers.map((id) => `${id}:${MOST}`).join(","), ...(code ? { within: code } : {}), ...(night ? { night: "true" } : {}),
    }));
    const count = (id: string) => {
      const returned = reply.layers.find(({ layer }) => layer === id)?.returned;
      return returned === undefined || returned >= MOST ? undefined : returned;
    };
    const free = reply.features.filter(({ properties }) => layers.length === 1 || properties.layer === "shelters")
      .reduce((sum, { properties }) => sum + (typeof properties.free_places === "number" ? Math.max(0, properties.free_places) : 0), 0);
    const stock = reply.features.flatMap(({ properties }) => (Array.isArray(properties.stock) ? (properties.stock as StockItem[]) : []));
    const kinds = new Set(stock.filter(({ quantity }) => (quantity ?? 0) > 0).map(({ item_code: code, name }) => code ?? name)).size;
    this.#resources = { freePlaces: count("shelters") === undefined ? undefined : free, teams: count("teams"), depots: count("depots"), kinds, night };
  }

  async #loadStations(): Promise<void> {
    if (!this.catalog.layers.some(({ id }) => id === "stations")) return;
    const page = await items("stations", { filter: OVER, limit: "1", sortby: "-observed_at", skipGeometry: "true" });
    const observedAt = Date.parse(String(page.features[0]?.properties.observed_at));
    this.#stations = { over: page.numberMatched, observedAt: Number.isNaN(observedAt) ? undefined : observedAt };
  }

  #draw(): void {
    const figures: Figure[] = [];
    const { freePlaces, teams, depots, kinds, night } = this.#resources ?? { kinds: 0, night: false };
    if (freePlaces !== undefined) figures.push({ word: night ? "allFreePlacesNight" : "allFreePlaces", value: number(freePlaces) });
    if (teams !== undefined) figures.push({ word: "readyTeams", value: number(teams) });
    if (depots !== undefined) figures.push({ word: "stockPlaces", value: number(depots), note: `${number(kinds)} ${say("stockKinds")}` });
    if (this.#people) {
      figures.push({ word: "peopleInWarnings", value: number(this.#people.people), note: this.#people.isExact ? undefined : say("atLeast") });
    }
    if (this.#stations) {
      const { over, observedAt } = this.#stations;
      const seconds = observedAt === undefined ? undefined : Math.max(0, (Date.now() - observedAt) / 1000);
      const note = seconds === undefined ? undefined : `${say("reading")} ${age(seconds)}${say("ago") === "前" ? "" : " "}${say("ago")}`;
      figures.push({ word: "stationsOver", value: number(over), note, list: OVER_LIST, doubt: seconds !== undefined && seconds > OLD_S });
    }
    part("figures").replaceChildren(...figures.map(({ word, value, note, doubt, list }) =>
      element("div", { "data-figure": word },
        element("dt", {}, say(word)),
        element("dd", {}, list === undefined ? value : element("a", { href: list, target: "_blank", rel: "noopener" }, value), note === undefined ? undefined : element("span", { class: doubt ? "note doubt" : "note" }, note)))));
  }
}
