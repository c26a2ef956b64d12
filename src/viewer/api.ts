// Asks the server: catalog, nearest, one feature, townships; every failure is a ServerError that says what happened.
import type { Feature, FeatureCollection, Geometry, Point } from "geojson";
import type { StyleSpecification } from "maplibre-gl";
import { say, type Bilingual } from "./language";

export type Code = { code: string | number; zh: string; en: string; color?: string };
export type Field = {
  name: string;
  type: "text" | "integer" | "real" | "boolean" | "date" | "datetime" | "text_list" | "json";
  title: Bilingual;
  unit?: string;
  codes?: string;
  tile?: boolean;
};
export type Layer = {
  id: string;
  title: Bilingual;
  group: "event" | "rescue" | "risk" | "monitor" | "base";
  geometry: "point" | "line" | "polygon" | "any";
  count: number;
  bounds: [number, number, number, number] | null;
  minzoom: number;
  /** How features are counted together at low zooms. */
  clusters: { to_zoom: number; severity: string | null; sums: { name: string; title: Bilingual }[] } | null;
  fields: Field[];
};
/** What every answer says about the data it was made from. */
export type Freshness = {
  data_version: string; data_age_s: number; stale: boolean;
  /** Layers that cannot be read now, by id, with the age of what is shown of them. */
  unavailable?: Record<string, { age_s: number }>;
};
export type Catalog = Freshness & {
  /** What the map is about. */
  county: {
    name: Bilingual; title: Bilingual; bounds: [number, number, number, number];
    /** Longitude, latitude in degrees. */
    center: [number, number];
    /** Its division code. */
    code?: string;
  };
  /** Absent while the server holds no feature at all. */
  bounds: [number, number, number, number] | null;
  codes: Record<string, Code[]>;
  layers: Layer[];
};
export type Properties = Record<string, unknown>;
export type Item = Feature<Geometry, Properties> & { id: string };
export type Reason = Bilingual & { code: string };
export type Excluded = { id: string; name: string | null; distance_m: number; reasons: Reason[] };
/** What several give together, or what is still missing. */
export type Amounts = { people: number; skills: string[]; items: { item_code: string; quantity: number }[] };
/** What is said of one layer of an answer. */
export type LayerSummary = {
  layer: string; returned: number;
  /** Nearer features that do not fit, and how many more there are. */
  excluded?: Excluded[]; more_excluded?: number;
  /** Of a set that covers the demand together. */
  covered?: boolean; uncovered?: Amounts;
};
export type Answer = Freshness & { features: (Feature<Point, Properties> & { id: string })[]; layers: LayerSummary[] };

const PATIENCE_MS = 15_000;

/** The server said no, or nothing. */
export class ServerError extends Error {
  /** @param status 0 when no answer came. */
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

export function catalog(): Promise<Catalog> {
  return ask("api/layers");
}

/** @param near asked from this geometry instead of the parameter "point" */
export function nearestOf(parameters: URLSearchParams, near?: Geometry, signal?: AbortSignal): Promise<Answer> {
  if (!near) return ask(`api/nearest?${parameters.toString()}`, signal);
  // An area may have more corners than an address can hold.
  return ask("api/nearest", signal, JSON.stringify({ ...Object.fromEntries(parameters), near: JSON.stringify(near) }));
}

export type ItemsPage = FeatureCollection<Geometry | null, Properties> & { numberMatched: number };

/** Features of a layer by the parameters of OGC API Features. */
export function items(layer: string, parameters: Record<string, string>): Promise<ItemsPage> {
  return ask(`ogc/collections/${encodeURIComponent(layer)}/items?${new URLSearchParams(parameters).toString()}`);
}

type RingLayer = { layer: string; people?: { known: number; unknown_places: number } };

/** How many people live in the area of a warning, by the villages inside; undefined when no layer tells. */
export async function peopleIn(kind: "warning", id: string): Promise<number | undefined> {
  const reply = await ask<{ rings: { layers: RingLayer[] }[] }>(`api/surroundings?${kind}=${encodeURIComponent(id)}`);
  return reply.rings[0]?.layers.find(({ layer }) => layer === "villages")?.people?.known;
}

/** A feature that was found by its name or code, at a place inside it. */
export type Hit = {
  type: "Feature"; id: string; geometry: Point | null;
  properties: { layer: string; name: string | null; matched: string; distance_m: number | null };
};

export function search(words: string, lon: number, lat: number, limit: number, signal: AbortSignal): Promise<{ features: Hit[] }> {
  return ask(`api/search?q=${encodeURIComponent(words)}&point=${lon},${lat}&limit=${limit}`, signal);
}

export type AuditName = "siting" | "coverage";

export function audit(name: AuditName): Promise<FeatureCollection<Geometry, Properties>> {
  return ask(name === "siting" ? "api/audits/siting" : "api/coverage");
}

export function item(layer: string, id: string, signal: AbortSignal): Promise<Item> {
  return ask(`ogc/collections/${encodeURIComponent(layer)}/items/${encodeURIComponent(id)}`, signal);
}

/** Some members of a cluster in order of id, with the counts and sums of all. */
export type ClusterPage = { features: Item[]; links?: unknown[] } & Record<string, unknown>;

export function clusterMembers(layer: string, id: number, limit: number, after: string | undefined, signal: AbortSignal): Promise<ClusterPage> {
  const next = after === undefined ? "" : `&after=${encodeURIComponent(after)}`;
  return ask(`api/clusters/${encodeURIComponent(layer)}/${id}?limit=${limit}${next}`, signal);
}

export function townships(): Promise<FeatureCollection<Geometry, Properties>> {
  return ask("ogc/collections/townships/items?limit=200");
}

export function style(): Promise<StyleSpecification> {
  return ask("styles/onemap.json");
}

async function ask<Reply>(path: string, signal?: AbortSignal, body?: string): Promise<Reply> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      ...(body === undefined ? {} : { method: "POST", body }),
      headers: {
        accept: "application/geo+json, application/json, application/problem+json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    });
    if (response.ok) return (await response.json()) as Reply;
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ServerError(0, say(patience.aborted ? "noAnswer" : "noConnection"));
  }
  throw new ServerError(response.status, await reason(response));
}

/** The sentence of a problem+json reply, or the bare status. */
async function reason(response: Response): Promise<string> {
  const status = `${response.status} ${response.statusText}`.trim();
  try {
    const problem = (await response.json()) as { title?: string; detail?: string };
    return problem.detail ?? problem.title ?? status;
  } catch {
    return status;
  }
}
