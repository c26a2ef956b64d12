// A nearest-resource query and its parameters.
import type { Geometry } from "geojson";

/** A point, or a feature of the map; its geometry is loaded when the query runs. */
export type Place =
  | { kind: "point"; lon: number; lat: number }
  | { kind: "feature"; layer: string; id: string; name: string; geometry?: Geometry };
export const PREFERENCES = ["nearest", "fewest", "balanced"] as const;
export type Prefer = (typeof PREFERENCES)[number];
/** Areas that can be avoided in addition to the zones of single hazards. */
export const AVOIDED = ["any", "warnings", "incidents"] as const;
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
export const DRAWN = "";

/** The layers that can be queried, in the order of the form. */
export const ASKED_LAYERS = ["shelters", "teams", "depots"] as const;
export const COUNTS = [3, 5, 10, 20] as const;

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
