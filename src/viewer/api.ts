// Requests to the server: catalog, nearest, one feature, townships. Every failure is a ServerError with a message.
import type { Feature, FeatureCollection, Geometry, LineString, MultiPolygon, Point, Position } from "geojson";
import type { StyleSpecification } from "maplibre-gl";
import { KEPT_AT } from "./kept";
import { language, say, type Bilingual } from "./language";
import type { Fault } from "./fault";
import { explain, type Problem } from "./problem";
import { noteOwnWrite } from "./own_writes";

export type Code = { code: string | number; zh: string; en: string; color?: string };
export type Field = {
  name: string;
  type: "text" | "integer" | "real" | "boolean" | "date" | "datetime" | "text_list" | "json";
  title: Bilingual;
  unit?: string;
  codes?: string;
  tile?: boolean;
  /** Smallest and largest accepted number. */
  min?: number;
  max?: number;
  /** Set by the server at each write. */
  read_only?: boolean;
};
/** A field and the codes for which a role applies. */
export type CodeRole = { field: string; codes: string[] };
export type Layer = {
  id: string;
  title: Bilingual;
  group: "event" | "rescue" | "risk" | "monitor" | "base";
  geometry: "point" | "line" | "polygon" | "any";
  count: number;
  /** Fields that are in no reply, and which /api/reveal gives. */
  contacts: { name: string; title: Bilingual }[];
  /** Whether it has such fields, for anybody. */
  withheld: boolean;
  bounds: [number, number, number, number] | null;
  minzoom: number;
  /** Clustering of features at low zooms. */
  clusters: { to_zoom: number; severity: string | null; sums: { name: string; title: Bilingual }[] } | null;
  fields: Field[];
  roles: {
    /** The codes of an event that is not over. */
    active_area: CodeRole | null;
    /** The codes of an event that closes the roads that it touches. */
    closes_roads: CodeRole | null;
    /** A road, and the codes of a closed one. */
    road: { closed: CodeRole | null } | null;
    time: { start: string; end: string | null } | null;
    /** A report about an incident: the field with its id, and those with figures. */
    situation_report: { incident: string; figures: string[] } | null;
    plan: { kinds: string } | null;
  };
};
/** Members of every reply about the age of its data. */
export type Freshness = {
  data_version: string; data_age_s: number; stale: boolean;
  /** Layers that cannot be read now, by id, with the age of their last state. */
  unavailable?: Record<string, { age_s: number }>;
  /** The server could not be reached: an earlier reply, whose age counts since then. */
  kept?: boolean;
};
export type Catalog = Freshness & {
  /** The county of the map. */
  county: {
    name: Bilingual; title: Bilingual; bounds: [number, number, number, number];
    /** Longitude, latitude in degrees. */
    center: [number, number];
    /** Its division code. */
    code?: string;
  };
  /** Null if the server has no features. */
  bounds: [number, number, number, number] | null;
  codes: Record<string, Code[]>;
  layers: Layer[];
};
export type Properties = Record<string, unknown>;
export type Item = Feature<Geometry, Properties> & { id: string };
export type Reason = Bilingual & { code: string };
export type Excluded = { id: string; name: string | null; distance_m: number; reasons: Reason[] };
/** A line of the stock of a depot. */
export type StockItem = { item_code?: string; name?: string; quantity?: number | null; promised?: number | null; unit?: string | null };
/** The total of several resources, or the missing amounts. */
export type Amounts = { people: number; skills: string[]; items: { item_code: string; quantity: number }[] };
/** The summary of one layer in a reply. */
export type LayerSummary = {
  layer: string; returned: number;
  /** Nearer features that are excluded, and the number of further ones. */
  excluded?: Excluded[]; more_excluded?: number;
  /** For a covering set. */
  covered?: boolean; uncovered?: Amounts;
};
export type Result = Feature<Point, Properties> & { id: string };
export type Answer = Freshness & { features: Result[]; layers: LayerSummary[] };

const TIMEOUT_MS = 15_000;
/** A large file is sent and read. */
const IMPORT_TIMEOUT_MS = 300_000;
const SESSION = "api/session";
/** Greater than the number of any entry of the audit log. */
const NEWEST = 2_000_000_000;

export type Role = "public" | "viewer" | "editor" | "dispatcher" | "admin";
/** Who uses this browser, and what the server permits. */
export type Session = Freshness & {
  signed_in: boolean; role: Role; name: string | null; expires_at: string | null; writable_layers: string[]; regions: string[] | null;
};

export function session(): Promise<Session> {
  return ask(SESSION);
}

/** Signs this browser in by a cookie that scripts cannot read. */
export async function signIn(secret: string): Promise<void> {
  await request(SESSION, undefined, { method: "POST", body: JSON.stringify({ secret }) });
}

export async function signOut(): Promise<void> {
  await request(SESSION, undefined, { method: "DELETE" });
}

/** Names and phones of one feature; the server records who asked, and why. */
export async function reveal(collection: string, id: string, why: string): Promise<Record<string, unknown>> {
  const reply = await ask<{ values: Record<string, unknown> }>("api/reveal", undefined, JSON.stringify({ collection, id, reason: why }));
  return reply.values;
}

/** An entry of the audit log. */
export type AuditRow = {
  number: number; hash: string;
  /** Null if it was damaged in the store. */
  entry: {
    at: string; action: string; actor: string; role: Role; address?: string; request_id?: string; layer?: string; id?: string; reason?: string;
    /** Values before and after, by field. */
    changes?: Record<string, [string | null, string | null]>;
  } | null;
};

/** Entries of the audit log, newest first, before a number. */
export function auditEntries(filters: Record<string, string>, before = NEWEST, signal?: AbortSignal): Promise<{ entries: AuditRow[]; next: number | null }> {
  const given = Object.entries(filters).filter(([, value]) => value !== "");
  return ask(`api/audit?${new URLSearchParams([...given, ["before", String(before)]]).toString()}`, signal);
}

/** The server refused the request or did not respond. */
export class ServerError extends Error {
  /** @param status 0 if the server did not respond. */
  constructor(readonly status: number, message: string, readonly problem: Problem = {}) {
    super(message);
  }
}

export function catalog(): Promise<Catalog> {
  return ask("api/layers");
}

/** @param near a query geometry, used instead of the parameter "point" */
export function nearestOf(parameters: URLSearchParams, near?: Geometry, signal?: AbortSignal): Promise<Answer> {
  if (!near) return ask(`api/nearest?${parameters.toString()}`, signal);
  // An area may have too many vertices for a URL.
  return ask("api/nearest", signal, JSON.stringify({ ...Object.fromEntries(parameters), near: JSON.stringify(near) }));
}

/** A journey on open roads. */
export type Route = Feature<LineString, {
  duration_s: number; road_m: number; detour_s: number;
  /** Risk zones and areas of events. */
  crosses: { layer: string; id: string; name: string | null; risk_level: number | null }[];
}>;

/** The quickest journey between two positions; undefined if no open road leads there. */
export async function routeOf(from: Position, to: Position, by: string, signal: AbortSignal): Promise<Route | undefined> {
  const parameters = new URLSearchParams({ from: from.slice(0, 2).join(","), to: to.slice(0, 2).join(","), by });
  return (await ask<{ features: Route[] }>(`api/routes?${parameters.toString()}`, signal)).features[0];
}

/** The areas that are reached by road from a position, or from which it is reached, in some minutes; the greatest first. */
export function isochrones(
  at: Position, minutes: readonly number[], direction: "outward" | "inward", signal: AbortSignal,
): Promise<FeatureCollection<MultiPolygon | null, { minutes: number }>> {
  const parameters = new URLSearchParams({ point: at.slice(0, 2).join(","), minutes: minutes.join(","), direction });
  return ask(`api/isochrones?${parameters.toString()}`, signal);
}

export type AllocationRequest = {
  layer: string; night: boolean; avoid: string; by?: string;
  demands: { each_of: string; inside: { layer: string; id: string }; share: number }[];
};
/** A plan: lines from places to the resources that serve them, and what remains. */
export type Allocation = Freshness & {
  features: Feature<LineString, {
    demand: string; demand_name: string | null; resource: string; resource_name: string | null; amount: number; distance_m: number; duration_s?: number;
  }>[];
  demands: { id: string; name: string | null; amount: number; unserved: number; reason: Bilingual | null }[];
  totals: { served: number; mean_m?: number | null; worst_m?: number; mean_s?: number | null; worst_s?: number };
  relief: Bilingual | null;
};

export function allocate(body: AllocationRequest, signal: AbortSignal): Promise<Allocation> {
  return ask("api/allocations", signal, JSON.stringify(body));
}

/** The plan as CSV. */
export async function allocationTable(body: AllocationRequest): Promise<Blob> {
  return (await request("api/allocations?f=csv", undefined, { method: "POST", body: JSON.stringify(body) })).blob();
}

/** The address of a plan to print. */
export function allocationPage(body: AllocationRequest): string {
  return `api/allocations?${new URLSearchParams({ request: JSON.stringify(body), f: "html", lang: language() }).toString()}`;
}

export type ItemsPage = FeatureCollection<Geometry | null, Properties> & { numberMatched: number; links?: { rel: string; href: string }[] };

/** Features of a layer by the parameters of OGC API Features. */
export function items(layer: string, parameters: Record<string, string>, signal?: AbortSignal): Promise<ItemsPage> {
  return ask(`ogc/collections/${encodeURIComponent(layer)}/items?${new URLSearchParams(parameters).toString()}`, signal);
}

/** The page after a page; undefined after the last one. */
export async function nextPage(layer: string, { links }: ItemsPage, signal: AbortSignal): Promise<ItemsPage | undefined> {
  const next = links?.find(({ rel }) => rel === "next");
  return next && items(layer, Object.fromEntries(new URL(next.href, location.href).searchParams), signal);
}

type RingLayer = {
  layer: string; title: Bilingual; count: number; people?: { known: number; unknown_places: number };
  by?: Record<string, { code: string | null; count: number }[]>;
};
/** What is within a distance, or inside an area. */
export type Ring = { radius_m: number | null; layers: RingLayer[] };
export type Surroundings = {
  rings: Ring[];
  secondary_hazards: { id: string; name: string | null; kind: Bilingual | null; risk_level: number | null; distance_m: number; place: Position | null }[];
  more_secondary_hazards: number;
  help: { layer: string; title: Bilingual; features: { id: string; name: string | null; distance_m: number; bearing_deg: number | null; place: Position | null }[] }[];
};

/** Distances around a drawn line, which has no inside. */
export const LINE_RADII = "500,1000";

export function surroundingsPath(parameters: Record<string, string>): string {
  return `api/surroundings?${new URLSearchParams(parameters).toString()}`;
}

export function surroundings(parameters: Record<string, string>, signal?: AbortSignal): Promise<Surroundings> {
  return ask(surroundingsPath(parameters), signal);
}

/** Number of people in the villages inside the area of a warning; undefined if unknown. */
export async function peopleIn(kind: "warning", id: string): Promise<number | undefined> {
  const reply = await surroundings({ [kind]: id });
  return reply.rings[0]?.layers.find(({ layer }) => layer === "villages")?.people?.known;
}

/** A feature found by its name or code, with a position inside it. */
export type Hit = {
  type: "Feature"; id: string; geometry: Point | null;
  properties: { layer: string; name: string | null; matched: string; distance_m: number | null };
};

export function search(words: string, lon: number, lat: number, limit: number, signal: AbortSignal): Promise<{ features: Hit[] }> {
  return ask(`api/search?q=${encodeURIComponent(words)}&point=${lon},${lat}&limit=${limit}`, signal);
}

export type AuditName = "siting" | "coverage";

export type Audit = Freshness & { features: Item[] };

export function auditPath(name: AuditName, parameters: Record<string, string>): string {
  return `${name === "siting" ? "api/audits/siting" : "api/coverage"}?${new URLSearchParams(parameters).toString()}`;
}

export function audit(name: AuditName, parameters: Record<string, string>, signal: AbortSignal): Promise<Audit> {
  return ask(auditPath(name, parameters), signal);
}

export function item(layer: string, id: string, signal: AbortSignal): Promise<Item> {
  return ask(itemPath(layer, id), signal);
}

/** A state of a feature, and its tag. */
export async function itemToEdit(layer: string, id: string, signal: AbortSignal): Promise<{ item: Item; tag: string }> {
  const response = await request(itemPath(layer, id), signal);
  return { item: (await response.json()) as Item, tag: response.headers.get("etag") ?? "" };
}

/** New values of some fields, and a new place. */
export type Change = { properties?: Properties; geometry?: Geometry | null };

/** Changes a feature that is still in the state of a tag; returns the tag of its new state. */
export async function edit(layer: string, id: string, change: Change, tag: string, key?: string): Promise<string> {
  const response = await request(itemPath(layer, id), undefined, {
    method: "PATCH", body: JSON.stringify(change), type: "application/merge-patch+json", headers: { "if-match": tag, ...keyed(key) },
  });
  noteOwnWrite(layer, id);
  return response.headers.get("etag") ?? "";
}

/** Creates a feature; returns its id and the tag of its state. */
export async function create(layer: string, feature: Change & { id?: string }, key?: string): Promise<{ id: string; tag: string }> {
  const body = JSON.stringify({ type: "Feature", ...feature });
  const response = await request(`ogc/collections/${encodeURIComponent(layer)}/items`, undefined, { method: "POST", body, type: "application/geo+json", headers: keyed(key) });
  const { id } = (await response.json()) as { id: string };
  noteOwnWrite(layer, id);
  return { id, tag: response.headers.get("etag") ?? "" };
}

/** Deletes a feature that is still in the state of a tag. */
export async function remove(layer: string, id: string, tag: string): Promise<void> {
  await request(itemPath(layer, id), undefined, { method: "DELETE", headers: { "if-match": tag } });
}

/** A request that is repeated with its key is carried out once. */
function keyed(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { "idempotency-key": key };
}

function itemPath(layer: string, id: string): string {
  return `ogc/collections/${encodeURIComponent(layer)}/items/${encodeURIComponent(id)}`;
}

/** A page of the members of a cluster in order of id, with the counts and sums of all members. */
export type ClusterPage = { features: Item[]; links?: unknown[] } & Record<string, unknown>;

export function clusterMembers(layer: string, id: number, limit: number, after: string | undefined, signal: AbortSignal): Promise<ClusterPage> {
  const next = after === undefined ? "" : `&after=${encodeURIComponent(after)}`;
  return ask(`api/clusters/${encodeURIComponent(layer)}/${id}?limit=${limit}${next}`, signal);
}

export type NewCommitment = {
  incident: string;
  resource: { layer: string; id: string };
  people?: number;
  night?: boolean;
  items?: { code: string; quantity: number }[];
  until?: string;
  note?: string;
  override?: string;
};

/** The commitments that are open. */
export async function commitments(): Promise<readonly Item[]> {
  return (await ask<{ features: Item[] }>("api/commitments")).features;
}

/** Makes all of them, or none. */
export async function commit(made: NewCommitment[]): Promise<void> {
  await request("api/commitments", undefined, { method: "POST", body: JSON.stringify({ commitments: made }) });
}

export async function updateCommitment(id: string, change: { state: string }): Promise<void> {
  await request(`api/commitments/${encodeURIComponent(id)}`, undefined, { method: "PATCH", body: JSON.stringify(change) });
}

/** A position in the coordinate systems in use. */
export async function coordinatesOf(lon: number, lat: number): Promise<{ title: string; unit: string; coordinates: [number, number] }[]> {
  return (await ask<{ systems: { title: string; unit: string; coordinates: [number, number] }[] }>(`api/coordinates?point=${lon.toFixed(7)},${lat.toFixed(7)}`)).systems;
}

export function townships(): Promise<FeatureCollection<Geometry, Properties>> {
  return ask("ogc/collections/townships/items?limit=200");
}

export function style(name: string): Promise<StyleSpecification> {
  return ask(`styles/${name}.json`);
}

/** How a file is imported. */
export type ImportOptions = {
  crs?: string; columns: Record<string, string>; sheet?: string; mode: "add" | "update" | "replace"; key?: string;
  skip_bad: boolean; anywhere: boolean; incomplete: boolean;
};
export type ImportRow = { row: number; line: number | null; column: string | null; value: string | null; fault: Fault; reason: string };
export type ImportCounts = { new: number; changed: number; unchanged: number; removed: number; skipped: number };
/** What a sent file would change; nothing is stored yet. */
export type ImportPreview = {
  id: string; collection: string; file: string;
  /** What must be named before the file can be read, and why. */
  needs?: { option: string | null; detail: string; columns?: string[] };
  recognised?: { table: string | null; crs: string; places: [string, string] | null; columns: string[]; matches: { field: string; column: string }[] };
  fields?: string[];
  report?: { read: number; taken: number; refused_count: number; refused: ImportRow[]; warnings: ImportRow[]; twins: { name: string; ids: string[] }[] };
  counts?: ImportCounts | null;
  sample?: FeatureCollection<Geometry | null, { name: string | null }>;
};

/** Sends a file to be looked at. */
export async function sendFile(layer: string, file: File): Promise<ImportPreview> {
  const parameters = new URLSearchParams({ collection: layer, filename: file.name });
  const sent = { method: "POST" as const, body: file, type: "application/octet-stream", timeoutMs: IMPORT_TIMEOUT_MS };
  return (await (await request(`api/imports?${parameters.toString()}`, undefined, sent)).json()) as ImportPreview;
}

async function ofImport(path: string, body: object): Promise<Response> {
  return request(`api/imports/${path}`, undefined, { method: "POST", body: JSON.stringify(body), timeoutMs: IMPORT_TIMEOUT_MS });
}

export async function previewImport(id: string, options: ImportOptions): Promise<ImportPreview> {
  return (await (await ofImport(`${id}/preview`, options)).json()) as ImportPreview;
}

/** The refused rows as CSV, or the table with marks. */
export async function importReport(id: string, options: ImportOptions, format: "csv" | "xlsx"): Promise<Blob> {
  return (await ofImport(`${id}/preview?f=${format}`, options)).blob();
}

export async function confirmImport(id: string, options: ImportOptions): Promise<ImportCounts> {
  return ((await (await ofImport(id, options)).json()) as { counts: ImportCounts }).counts;
}

export async function discardImport(id: string): Promise<void> {
  await request(`api/imports/${id}`, undefined, { method: "DELETE" });
}

export async function undoImport(id: string): Promise<void> {
  await ofImport(`${id}/undo`, {});
}

type Sent = {
  method: "POST" | "PATCH" | "DELETE"; body?: string | Blob; type?: string; headers?: Record<string, string>; timeoutMs?: number;
};

/** Called when the server no longer accepts the sign-in of this browser. */
let refused = (): void => undefined;
export function onRefused(act: () => void): void {
  refused = act;
}

async function ask<Reply>(path: string, signal?: AbortSignal, body?: string): Promise<Reply> {
  const response = await request(path, signal, body === undefined ? undefined : { method: "POST", body });
  const reply = (await response.json()) as Reply;
  const keptAt = Number(response.headers.get(KEPT_AT) ?? NaN);
  return Number.isNaN(keptAt) ? reply : aged(reply, (Date.now() - keptAt) / 1000);
}

/** An earlier reply: older by the time since it was received, and not current. */
function aged<Reply>(reply: Reply, seconds: number): Reply {
  const freshness = reply as Reply & Partial<Freshness>;
  return { ...freshness, data_age_s: (freshness.data_age_s ?? 0) + Math.max(0, seconds), stale: true, kept: true };
}

/** The reply of the server; a failure is a ServerError. */
async function request(path: string, signal?: AbortSignal, sent?: Sent): Promise<Response> {
  const timeout = AbortSignal.timeout(sent?.timeoutMs ?? TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      ...(sent ? { method: sent.method } : {}),
      ...(sent?.body === undefined ? {} : { body: sent.body }),
      headers: {
        accept: "application/geo+json, application/json, application/problem+json",
        ...(sent?.body === undefined ? {} : { "content-type": sent.type ?? "application/json" }),
        ...sent?.headers,
      },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ServerError(0, say(timeout.aborted ? "noAnswer" : "noConnection"));
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== SESSION) refused();
  const problem = (await response.json().catch(() => ({}))) as Problem;
  throw new ServerError(response.status, explain(problem) ?? `${response.status} ${response.statusText}`.trim(), problem);
}
