// What is going on: incidents and warnings with their state by the clock, the running ones first; what arrives is told.
import type { Feature, FeatureCollection, Geometry } from "geojson";
import { items, type Properties } from "./api";
import { boundsOf } from "./geometry";

export const SITUATION_LAYERS = ["incidents", "warnings"] as const;
export type SituationLayer = (typeof SITUATION_LAYERS)[number];

export type Occurrence = {
  layer: SituationLayer;
  id: string;
  name: string;
  /** 1 is the gravest. */
  severity: number | undefined;
  status: string;
  /** First, follow-up or final report; incidents only. */
  report: string | undefined;
  startedAt: number | undefined;
  expiresAt: number | undefined;
  /** Ended by its status. */
  ended: boolean;
  /** Still open by its status, but past its time. */
  expired: boolean;
  geometry: Geometry | null;
  properties: Properties;
};
export type Arrival = { occurrence: Occurrence; isNew: boolean };

const ENDED = new Set(["closed", "lifted"]);
/** The latest of each layer; older ones are history. */
const MOST = 1_000;
const JUDGE_EVERY_MS = 30_000;
/** Changes that come in quick succession are read once. */
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
  #hearFailure: (failed: boolean) => void = () => undefined;

  constructor(readonly layers: readonly SituationLayer[]) {}

  /** Told now and later whether the server could not be asked; it is asked again by itself. */
  set onFailure(hear: (failed: boolean) => void) {
    this.#hearFailure = hear;
    hear(this.#failed);
  }

  /** Reads all; what was not there before, or has another state, has arrived. */
  async load(): Promise<void> {
    const turn = (this.#turn += 1);
    try {
      const lists = await Promise.all(this.layers.map((layer) => items(layer, { sortby: "-started_at", limit: String(MOST) })));
      // A later question knows more.
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
    if (!this.#started) setInterval(() => this.#tell([]), JUDGE_EVERY_MS);
    this.#started = true;
    this.#tell(arrivals);
  }

  loadSoon(afterMs = SOON_MS): void {
    this.#soon ||= window.setTimeout(() => {
      this.#soon = 0;
      void this.load();
    }, afterMs);
  }

  /** Calls back now, if something is known, and at every change and from time to time, for ages grow. */
  onChange(listener: (all: readonly Occurrence[], arrivals: readonly Arrival[]) => void): void {
    this.#listeners.push(listener);
    if (this.#started) listener(this.list(), []);
  }

  /** The running ones first, the gravest and then the latest first among them. */
  list(): Occurrence[] {
    return [...this.#features].flatMap(([layer, features]) => features.map((feature) => occurrence(layer, feature)))
      .toSorted((a, b) => Number(isOver(a)) - Number(isOver(b))
        || (isOver(a) ? 0 : (a.severity ?? 9) - (b.severity ?? 9))
        || (b.startedAt ?? 0) - (a.startedAt ?? 0));
  }

  /** What the map draws of a layer: what is past its time looks like what has ended. */
  drawn(layer: SituationLayer): FeatureCollection<Geometry, Properties> {
    const features = this.list().filter((one) => one.layer === layer).flatMap((one): Feature<Geometry, Properties>[] => one.geometry === null ? [] : [{
      type: "Feature", geometry: one.geometry,
      properties: { ...one.properties, id: one.id, ...(isOver(one) ? { status: layer === "incidents" ? "closed" : "lifted" } : {}) },
    }]);
    return { type: "FeatureCollection", features };
  }

  #arrival(one: Occurrence): Arrival[] {
    const before = this.#known.get(key(one));
    if (before === state(one) || (before === undefined && isOver(one))) return [];
    return [{ occurrence: one, isNew: before === undefined }];
  }

  #fail(failed: boolean): void {
    this.#failed = failed;
    this.#hearFailure(failed);
  }

  #tell(arrivals: readonly Arrival[]): void {
    const all = this.list();
    for (const listener of this.#listeners) listener(all, arrivals);
  }
}

export function isOver(one: Occurrence): boolean {
  return one.ended || one.expired;
}

function occurrence(layer: SituationLayer, { id, geometry, properties }: Feature<Geometry | null, Properties>): Occurrence {
  const expiresAt = instant(properties.expires_at);
  const ended = ENDED.has(String(properties.status));
  return {
    layer, id: String(id), geometry, properties, ended, expiresAt,
    name: String(properties.name ?? id),
    severity: typeof properties.severity === "number" ? properties.severity : undefined,
    status: String(properties.status ?? ""),
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

/** What somebody on duty must hear of when it differs. */
function state({ name, severity, status, report, properties, geometry }: Occurrence): string {
  return JSON.stringify([name, severity, status, report, properties.expires_at, boundsOf(geometry)]);
}
