// Incidents and warnings with their current state, running ones first; reports new and changed ones.
import type { Feature, FeatureCollection, Geometry } from "geojson";
import { items, type Catalog, type Layer, type Properties } from "./api";
import { boundsOf, middleOf } from "./geometry";
import { isOwnWrite } from "./own_writes";
import { endedStatus, hasEnded } from "./roles";

export const SITUATION_LAYERS = ["incidents", "warnings"] as const;
export type SituationLayer = (typeof SITUATION_LAYERS)[number];

export type Occurrence = {
  layer: SituationLayer;
  id: string;
  name: string;
  /** 1 is the most severe. */
  severity: number | undefined;
  status: string;
  /** First, follow-up or final report; incidents only. */
  report: string | undefined;
  startedAt: number | undefined;
  expiresAt: number | undefined;
  /** Ended by its status. */
  ended: boolean;
  /** Active by its status, but past its expiry. */
  expired: boolean;
  geometry: Geometry | null;
  properties: Properties;
};
export type Arrival = { occurrence: Occurrence; isNew: boolean };

/** Property of drawn features that have ended or expired. */
export const OVER = "over";
/** Property of a line or area that a point feature signs and names. */
export const SIGNED = "signed";
const INCIDENTS = "incidents";
/** Maximum number of features of a layer, latest first. */
const MAX_FEATURES = 1_000;
const UPDATE_EVERY_MS = 30_000;
/** Delay that combines changes in quick succession. */
const SOON_MS = 200;
const RETRY_AFTER_MS = 5_000;

export class Situation {
  #features = new Map<SituationLayer, Feature<Geometry | null, Properties>[]>();
  #known = new Map<string, string>();
  #started = false;
  #soon = 0;
  #turn = 0;
  readonly #listeners: ((all: readonly Occurrence[], arrivals: readonly Arrival[]) => void)[] = [];

  #failed = false;
  #reportFailure: (failed: boolean) => void = () => undefined;

  constructor(readonly layers: readonly SituationLayer[], private readonly catalog: Catalog) {}

  /** Called now and at changes with whether the request failed; failed requests are retried. */
  set onFailure(report: (failed: boolean) => void) {
    this.#reportFailure = report;
    report(this.#failed);
  }

  /** Loads all; new features and those with a changed state are reported as arrivals. */
  async load(): Promise<void> {
    const turn = (this.#turn += 1);
    try {
      const lists = await Promise.all(this.layers.map((layer) => items(layer, { sortby: "-started_at", limit: String(MAX_FEATURES) })));
      // A later request has newer data.
      if (turn !== this.#turn) return;
      this.layers.forEach((layer, at) => this.#features.set(layer, lists[at]!.features));
      this.#fail(false);
    } catch {
      this.#fail(true);
      this.loadSoon(RETRY_AFTER_MS);
      return;
    }
    const all = this.list();
    const arrivals = this.#started ? all.flatMap((one) => this.#arrival(one)) : [];
    this.#known = new Map(all.map((one) => [key(one), state(one)]));
    if (!this.#started) setInterval(() => this.#notify([]), UPDATE_EVERY_MS);
    this.#started = true;
    this.#notify(arrivals);
  }

  loadSoon(afterMs = SOON_MS): void {
    this.#soon ||= window.setTimeout(() => {
      this.#soon = 0;
      void this.load();
    }, afterMs);
  }

  /** Calls the listener now, if data is loaded, at every change, and at intervals, to update ages. */
  onChange(listener: (all: readonly Occurrence[], arrivals: readonly Arrival[]) => void): void {
    this.#listeners.push(listener);
    if (this.#started) listener(this.list(), []);
  }

  /** Running ones first, by severity, then latest first. */
  list(): Occurrence[] {
    return [...this.#features].flatMap(([layer, features]) => features.map((feature) => occurrence(this.#layer(layer), layer, feature)))
      .toSorted((a, b) => Number(isOver(a)) - Number(isOver(b))
        || (isOver(a) ? 0 : (a.severity ?? 9) - (b.severity ?? 9))
        || (b.startedAt ?? 0) - (a.startedAt ?? 0));
  }

  /** The features of a layer for the map; expired ones are drawn like ended ones. */
  drawn(layer: SituationLayer): FeatureCollection<Geometry, Properties> {
    const own = this.#layer(layer);
    const field = own?.roles.active_area?.field;
    const ended = field === undefined ? {} : { [field]: endedStatus(this.catalog, own) };
    const features = this.list().filter((one) => one.layer === layer).flatMap((one): Feature<Geometry, Properties>[] => {
      if (one.geometry === null) return [];
      const properties = { ...one.properties, id: one.id, ...(isOver(one) ? { ...ended, [OVER]: true } : {}) };
      const own: Feature<Geometry, Properties> = { type: "Feature", geometry: one.geometry, properties };
      const at = one.geometry.type === "Point" || layer !== INCIDENTS || isOver(one) ? undefined : middleOf(one.geometry);
      // A line or area may be too small to be seen, so that a running one has the sign of a point too.
      return at ? [{ ...own, properties: { ...properties, [SIGNED]: true } }, { ...own, geometry: { type: "Point", coordinates: at } }] : [own];
    });
    return { type: "FeatureCollection", features };
  }

  #layer(id: SituationLayer): Layer | undefined {
    return this.catalog.layers.find((layer) => layer.id === id);
  }

  #arrival(one: Occurrence): Arrival[] {
    const before = this.#known.get(key(one));
    if (before === state(one) || (before === undefined && isOver(one)) || isOwnWrite(one.layer, one.id)) return [];
    return [{ occurrence: one, isNew: before === undefined }];
  }

  #fail(failed: boolean): void {
    this.#failed = failed;
    this.#reportFailure(failed);
  }

  #notify(arrivals: readonly Arrival[]): void {
    const all = this.list();
    for (const listener of this.#listeners) listener(all, arrivals);
  }
}

export function isOver(one: Occurrence): boolean {
  return one.ended || one.expired;
}

function occurrence(own: Layer | undefined, layer: SituationLayer, { id, geometry, properties }: Feature<Geometry | null, Properties>): Occurrence {
  const expiresAt = instant(properties.expires_at);
  const ended = hasEnded(own, properties);
  return {
    layer, id: String(id), geometry, properties, ended, expiresAt,
    name: String(properties.name ?? id),
    severity: typeof properties.severity === "number" ? properties.severity : undefined,
    status: String(properties[own?.roles.active_area?.field ?? ""] ?? ""),
    report: typeof properties.report === "string" ? properties.report : undefined,
    startedAt: instant(properties.started_at),
    expired: !ended && expiresAt !== undefined && expiresAt <= Date.now(),
  };
}

function instant(value: unknown): number | undefined {
  const at = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : at;
}

function key({ layer, id }: Occurrence): string {
  return `${layer}/${id}`;
}

/** The properties whose changes are announced. */
function state({ name, severity, status, report, properties, geometry }: Occurrence): string {
  return JSON.stringify([name, severity, status, report, properties.expires_at, boundsOf(geometry)]);
}
