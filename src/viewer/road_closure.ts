// Closes the road of a card and opens it again: by an incident at the clicked place, or by the status of the road, as the
// account may write.
import type { Geometry } from "geojson";
import { LngLat } from "maplibre-gl";
import { create, edit, items, itemToEdit, remove, type Catalog, type CodeRole, type Item, type Layer, type Properties } from "./api";
import { element } from "./element";
import { boundsOf, nearestPlace, positionsOf, type LonLat } from "./geometry";
import { say } from "./language";
import type { LastEdit } from "./last_edit";
import type { Found } from "./popup";
import { hasEnded, otherCode } from "./roles";

/** An incident closes the roads within this distance of it, metres, as on the server. */
const REACH_M = 30;
/** The same in degrees, for the box of a request. */
const REACH_DEG = 0.001;
const MOST_INCIDENTS = "200";
const TIMEOUT_MS = 10_000;

/** A layer whose features close roads. */
type Closing = { layer: Layer; kind: CodeRole; active: CodeRole };

export class RoadClosure {
  readonly #closing: Closing | undefined;

  /** @param mayWrite whether this browser may write a layer */
  constructor(
    private readonly catalog: Catalog, private readonly lastEdit: LastEdit, private readonly mayWrite: (layer: string) => boolean,
    private readonly onStored: () => void,
  ) {
    for (const layer of catalog.layers) {
      const { closes_roads: kind, active_area: active } = layer.roles;
      if (kind && active) this.#closing ??= { layer, kind, active };
    }
  }

  /** The buttons of a card; none if it is no road and closes none, or this browser may not write. */
  actionsOf(found: Found, layer: Layer, at: LngLat): HTMLElement[] {
    const closing = this.#closing && this.mayWrite(this.#closing.layer.id) ? this.#closing : undefined;
    const closed = this.mayWrite(layer.id) ? layer.roles.road?.closed ?? undefined : undefined;
    const isClosing = layer.id === closing?.layer.id;
    if (!isClosing && !(layer.roles.road && (closing || closed))) return [];
    const box = element("p", { class: "actions closure", "aria-busy": "true" });
    const fill = isClosing ? this.#ofIncident(box, closing!, found) : this.#ofRoad(box, layer, found, at, closing, closed);
    fill.catch((error: unknown) => this.#fail(box, error)).finally(() => box.setAttribute("aria-busy", "false"));
    return [box];
  }

  async #ofIncident(box: HTMLElement, closing: Closing, { layer, id }: Found): Promise<void> {
    const { item } = await itemToEdit(layer, id, AbortSignal.timeout(TIMEOUT_MS));
    if (closes(closing, item.properties)) box.append(this.#end(box, closing, item));
  }

  async #ofRoad(box: HTMLElement, layer: Layer, { id, name }: Found, at: LngLat, closing: Closing | undefined, closed: CodeRole | undefined): Promise<void> {
    const { item: road } = await itemToEdit(layer.id, id, AbortSignal.timeout(TIMEOUT_MS));
    const own = layer.roles.road?.closed;
    const isClosed = own ? own.codes.includes(String(road.properties[own.field])) : false;
    if (isClosed && closed) {
      const open = otherCode(this.catalog, layer, closed);
      box.append(this.#button(box, "openRoad", async () => this.#setStatus(layer, id, name, closed.field, open, "roadOpened")));
    }
    for (const incident of closing ? await this.#closuresOf(closing, road.geometry) : []) box.append(this.#end(box, closing!, incident));
    if (isClosed) return;
    if (closing) box.append(this.#button(box, "closeRoad", () => this.#close(closing, road, name, at)));
    else if (closed) box.append(this.#button(box, "closeRoad", () => this.#setStatus(layer, id, name, closed.field, closed.codes[0], "roadIsClosed")));
  }

  /** The incidents that close a road. */
  async #closuresOf(closing: Closing, road: Geometry): Promise<Item[]> {
    const bounds = boundsOf(road);
    if (!bounds) return [];
    const [west, south, east, north] = bounds;
    const box = [west - REACH_DEG, south - REACH_DEG, east + REACH_DEG, north + REACH_DEG].map((degrees) => degrees.toFixed(6)).join(",");
    const { features } = await items(closing.layer.id, { bbox: box, limit: MOST_INCIDENTS });
    return (features as Item[]).filter(({ geometry, properties }) => closes(closing, properties) && isNear(geometry, road));
  }

  /** Creates the incident that closes the road where it was clicked. */
  async #close({ layer, kind, active }: Closing, road: Item, name: string, at: LngLat): Promise<void> {
    const place = nearestPlace(road.geometry, [at.lng, at.lat]);
    if (!place) return;
    const label = `${name || road.id}${say("roadClosed")}`;
    const time = layer.roles.time;
    const { id, tag } = await create(layer.id, {
      geometry: { type: "Point", coordinates: place.map((degrees) => Number(degrees.toFixed(6))) },
      // Codes of active events are in the order of their course; one that is only reported may not be shown to everybody.
      properties: { name: label, [kind.field]: kind.codes[0], [active.field]: active.codes.at(-1), ...(time ? { [time.start]: new Date().toISOString() } : {}) },
    });
    this.lastEdit.offer("roadIsClosed", name || road.id, () => remove(layer.id, id, tag));
    this.onStored();
  }

  #end(box: HTMLElement, { layer, active }: Closing, { id, properties }: Item): HTMLElement {
    const name = String(properties.name ?? id);
    const button = this.#button(box, "openRoad", () => this.#setStatus(layer, id, name, active.field, otherCode(this.catalog, layer, active), "roadOpened"));
    button.append(element("span", { class: "quiet" }, ` ${name}`));
    return button;
  }

  async #setStatus(layer: Layer, id: string, name: string, field: string, code: string | number | undefined, word: "roadIsClosed" | "roadOpened"): Promise<void> {
    const { item, tag } = await itemToEdit(layer.id, id, AbortSignal.timeout(TIMEOUT_MS));
    const after = await edit(layer.id, id, { properties: { [field]: code } }, tag);
    this.lastEdit.offer(word, name || id, async () => void (await edit(layer.id, id, { properties: { [field]: item.properties[field] ?? null } }, after)));
    this.onStored();
  }

  #button(box: HTMLElement, word: "openRoad" | "closeRoad", act: () => Promise<void>): HTMLButtonElement {
    const button = element("button", { type: "button", class: `wide ${word === "openRoad" ? "open-road" : "close-road"}` }, say(word));
    button.addEventListener("click", () => {
      button.disabled = true;
      act().catch((error: unknown) => {
        button.disabled = false;
        this.#fail(box, error);
      });
    });
    return button;
  }

  #fail(box: HTMLElement, error: unknown): void {
    box.querySelector(".failed")?.remove();
    box.append(element("span", { class: "failed", role: "alert" }, error instanceof Error ? error.message : String(error)));
  }
}

function closes({ layer, kind }: Closing, properties: Properties): boolean {
  return kind.codes.includes(String(properties[kind.field])) && !hasEnded(layer, properties);
}

/** Whether a geometry comes as near to a road as closes it; of lines and areas, their vertices and those of the road count. */
function isNear(geometry: Geometry | null, road: Geometry): boolean {
  const reaches = (of: Geometry | null, position: LonLat) => {
    const place = nearestPlace(of, position);
    return place !== undefined && new LngLat(...place).distanceTo(new LngLat(...position)) <= REACH_M;
  };
  return positionsOf(geometry).some((position) => reaches(road, position)) || positionsOf(road).some((position) => reaches(geometry, position));
}
