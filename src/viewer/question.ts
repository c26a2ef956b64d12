// A nearest-resource query: its parameters, and its form in the URL of the page.
import type { Geometry } from "geojson";
import { positionsOf } from "./geometry";
import { say } from "./language";

/** A point, or a feature of the map; its geometry is loaded when the query runs. */
export type Place =
  | { kind: "point"; lon: number; lat: number }
  | { kind: "feature"; layer: string; id: string; name: string; geometry?: Geometry };
export const PREFERENCES = ["nearest", "fewest", "balanced"] as const;
export type Prefer = (typeof PREFERENCES)[number];
export const WAYS = ["line", "road", "walk"] as const;
export type Way = (typeof WAYS)[number];
export type Amount = { code: string; quantity: number };
export type Question = {
  place: Place;
  layers: string[];
  k: number;
  people: number | undefined;
  night: boolean;
  hazard: string[];
  avoid: string[];
  skills: string[];
  items: Amount[];
  /** A division code; empty for anywhere. */
  within: string;
  /** What is near: by straight line, or by travel time on roads. */
  by: Way;
  cover: boolean;
  /** Which covering set is the best. */
  prefer: Prefer;
};

/** A line or area that was drawn on the map. */
export function drawnPlace(geometry: Geometry, name: string): Place {
  return { kind: "feature", layer: DRAWN, id: "", name, geometry };
}
const DRAWN = "";

/** The layers that can be queried, in the order of the form. */
export const ASKED_LAYERS = ["shelters", "teams", "depots"] as const;
export const COUNTS = [3, 5, 10, 20] as const;
/** The parameters of the query in the URL hash: those of /api/nearest, and "of" for a feature. */
const NAMES = ["point", "of", "near", "layer", "k", "people", "night", "hazard", "avoid", "skills", "items", "within", "by", "cover", "prefer"];

export function emptyQuestion(place: Place): Question {
  return {
    place, layers: [...ASKED_LAYERS], k: COUNTS[0], people: undefined, night: isNight(), hazard: [], avoid: [], skills: [], items: [], within: "", by: WAYS[0], cover: false,
    prefer: PREFERENCES[0],
  };
}

/** Whether it is night, so that people in a shelter stay overnight: 20:00 to 06:00 Beijing time. */
export function isNight(now = new Date()): boolean {
  const hour = Number(new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", hourCycle: "h23" }).format(now));
  return hour >= 20 || hour < 6;
}

/** The layers to query: for a covering set, only those with a demand. */
export function layersAsked(question: Question): string[] {
  return question.layers.filter((layer) => !isPlan(question) || demandOf(question, layer));
}

/** Whether a covering set is requested, which requires a demand. */
export function isPlan(question: Question): boolean {
  return question.cover && question.layers.some((layer) => demandOf(question, layer));
}

export function demandOf({ people, skills, items }: Question, layer: string): boolean {
  return (layer === "shelters" && people !== undefined) || (layer === "teams" && skills.length > 0) || (layer === "depots" && items.length > 0);
}

/** How the query measures: journeys begin at a point. */
export function wayOf({ by, place }: Question): Way {
  const isPoint = place.kind === "point" || place.geometry === undefined || place.geometry.type === "Point";
  return isPoint ? by : "line";
}

/** Number of conditions besides location and layers. */
export function conditionsOf(question: Question): number {
  const { people, hazard, avoid, skills, items, within } = question;
  return (people === undefined ? 0 : 1) + (within ? 1 : 0) + (isPlan(question) ? 1 : 0)
    + [hazard, avoid, skills, items].filter((list) => list.length > 0).length;
}

/** Parameters of /api/nearest without the location. Conditions that apply to no queried layer are omitted. */
export function parametersOf(question: Question): URLSearchParams {
  const layers = layersAsked(question);
  const asks = (layer: string) => layers.includes(layer);
  const parameters = new URLSearchParams({ layer: layers.join(","), k: String(question.k) });
  const set = (name: string, value: string, when = true) => when && value !== "" && parameters.set(name, value);
  set("people", String(question.people ?? ""), asks("shelters"));
  set("night", "true", question.night && asks("shelters"));
  set("hazard", question.hazard.join(","), asks("shelters"));
  set("skills", question.skills.join(","), asks("teams"));
  set("items", question.items.map(({ code, quantity }) => `${code}:${quantity}`).join(","), asks("depots"));
  set("avoid", question.avoid.join(","));
  set("within", question.within);
  set("by", wayOf(question), wayOf(question) !== WAYS[0]);
  set("cover", "true", isPlan(question));
  set("prefer", question.prefer, isPlan(question) && question.prefer !== PREFERENCES[0]);
  set("explain", "true", (conditionsOf(question) > 0 || wayOf(question) !== WAYS[0]) && !isPlan(question));
  return parameters;
}

/** Writes the query into the URL hash, next to the view of the map. */
export function keepInAddress(question: Question | undefined): void {
  const others = location.hash.replace(/^#/, "").split("&").filter((part) => part !== "" && !NAMES.includes(part.split("=")[0]!));
  const own: string[] = [];
  if (question) {
    const { place } = question;
    const set = (name: string, value: string) => value !== "" && own.push(`${name}=${encodeURIComponent(value).replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/")}`);
    if (place.kind === "point") set("point", `${place.lon},${place.lat}`);
    else if (place.layer === DRAWN) set("near", positionsOf(place.geometry ?? null).map(([lon, lat]) => `${lon.toFixed(6)},${lat.toFixed(6)}`).join(","));
    else set("of", `${place.layer}/${place.id}`);
    set("layer", question.layers.join(","));
    set("k", String(question.k));
    set("people", String(question.people ?? ""));
    set("night", String(question.night));
    set("hazard", question.hazard.join(","));
    set("avoid", question.avoid.join(","));
    set("skills", question.skills.join(","));
    set("items", question.items.map(({ code, quantity }) => `${code}:${quantity}`).join(","));
    set("within", question.within);
    set("by", question.by === WAYS[0] ? "" : question.by);
    set("cover", question.cover ? "true" : "");
    set("prefer", question.cover && question.prefer !== PREFERENCES[0] ? question.prefer : "");
  }
  const hash = [...others, ...own].join("&");
  history.replaceState(history.state, "", hash === "" ? location.pathname + location.search : `#${hash}`);
}

/** The layers that the URL hash asks about and that cannot be asked about. */
export function unknownInAddress(hash = location.hash): string[] {
  const asked = hash.replace(/^#/, "").split("&").find((part) => part.startsWith("layer="))?.slice("layer=".length);
  return decoded(asked ?? "").split(",").filter((id) => id !== "" && !(ASKED_LAYERS as readonly string[]).includes(id));
}

/** The position in the URL hash if it is not valid. */
export function invalidPointInAddress(hash = location.hash): string | undefined {
  const given = hash.replace(/^#/, "").split("&").find((part) => part.startsWith("point="))?.slice("point=".length);
  return given !== undefined && !parsePoint(decoded(given)) ? decoded(given) : undefined;
}

/** The query in the URL hash; undefined if it is missing or invalid. */
export function questionInAddress(hash = location.hash): Question | undefined {
  const given = new Map(hash.replace(/^#/, "").split("&").map((part) => {
    const [name, ...value] = part.split("=");
    return [name!, decoded(value.join("="))] as const;
  }));
  const place = drawnIn(given.get("near")) ?? placeOf(given.get("point"), given.get("of"));
  if (!place) return undefined;
  const list = (name: string) => (given.get(name) ?? "").split(",").filter(Boolean);
  const layers = list("layer").filter((id) => (ASKED_LAYERS as readonly string[]).includes(id));
  const k = Number(given.get("k"));
  const people = Number(given.get("people") ?? NaN);
  const empty = emptyQuestion(place);
  return {
    ...empty,
    layers: layers.length > 0 ? layers : empty.layers,
    k: Number.isInteger(k) && k > 0 && k <= 1_000 ? k : empty.k,
    people: Number.isInteger(people) && people > 0 ? people : undefined,
    night: given.has("night") ? given.get("night") === "true" : empty.night,
    hazard: list("hazard"), avoid: list("avoid"), skills: list("skills"),
    items: list("items").flatMap((part) => {
      const [code, quantity] = part.split(":");
      return code && Number(quantity ?? 1) > 0 ? [{ code, quantity: Number(quantity ?? 1) }] : [];
    }),
    within: given.get("within") ?? "",
    by: WAYS.find((own) => own === given.get("by")) ?? empty.by,
    cover: given.get("cover") === "true",
    prefer: PREFERENCES.find((own) => own === given.get("prefer")) ?? empty.prefer,
  };
}

/** Parses "118.863,26.221"; accepts Chinese commas and blanks. */
export function parsePoint(text: string): Place | undefined {
  const [lon, lat, ...more] = text.trim().split(/[\s,，、;；]+/).map(Number);
  if (lon === undefined || lat === undefined || more.length > 0) return undefined;
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? pointAt(lon, lat) : undefined;
}

/** Rounds to 1e-6 degrees, about 0.1 m. */
export function pointAt(lon: number, lat: number): Place {
  return { kind: "point", lon: Number(lon.toFixed(6)), lat: Number(lat.toFixed(6)) };
}

function placeOf(point: string | undefined, of: string | undefined): Place | undefined {
  if (point) return parsePoint(point);
  const [layer, ...id] = (of ?? "").split("/");
  return layer && id.length > 0 ? { kind: "feature", layer, id: id.join("/"), name: "" } : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A drawn shape in the URL: longitudes and latitudes; an area ends where it begins. */
function drawnIn(text: string | undefined): Place | undefined {
  const numbers = (text ?? "").split(",").map(Number);
  if (!text || numbers.length < 4 || numbers.length % 2 !== 0 || numbers.some((value) => !Number.isFinite(value))) return undefined;
  const positions = Array.from({ length: numbers.length / 2 }, (_, at) => [numbers[2 * at]!, numbers[2 * at + 1]!]);
  const [first, last] = [positions[0]!, positions.at(-1)!];
  const isArea = positions.length > 3 && first[0] === last[0] && first[1] === last[1];
  return drawnPlace(isArea ? { type: "Polygon", coordinates: [positions] } : { type: "LineString", coordinates: positions }, say("drawnShape"));
}
