// The query in the URL hash of the page: written, read, and checked.
import type { Catalog } from "./api";
import { positionsOf } from "./geometry";
import { say } from "./language";
import {
  ASKED_LAYERS, AVOIDED, DRAWN, PREFERENCES, WAYS, drawnPlace, emptyQuestion, parsePoint, wayOf, type Amount, type Place, type Question,
} from "./question";

/** The parameters of the query in the URL hash: those of /api/nearest, and "of" for a feature. */
const NAMES = ["point", "of", "near", "layer", "k", "people", "night", "hazard", "avoid", "skills", "items", "within", "by", "cover", "prefer"];
const DIVISION = /^\d{6,12}$/;
const MOST_RESULTS = 1_000;

/** What the hash asks; undefined without a place. */
export type Asked = {
  question: Question | undefined;
  /** The parts that are not understood, such as "people=-5"; the query has none of them. */
  refused: string[];
};

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
    set("by", wayOf(question) === WAYS[0] ? "" : question.by);
    set("cover", question.cover ? "true" : "");
    set("prefer", question.cover && question.prefer !== PREFERENCES[0] ? question.prefer : "");
  }
  const hash = [...others, ...own].join("&");
  history.replaceState(history.state, "", hash === "" ? location.pathname + location.search : `#${hash}`);
}

/** Reads the query of the URL hash; its codes are those of the catalog. */
export function questionInAddress({ codes, layers }: Pick<Catalog, "codes" | "layers">, hash = location.hash): Asked {
  const given = new Map(hash.replace(/^#/, "").split("&").map((part) => {
    const [name, ...value] = part.split("=");
    return [name!, decoded(value.join("="))] as const;
  }));
  const refused: string[] = [];
  const read = <Value>(name: string, parse: (text: string) => Value | undefined): Value | undefined => {
    const text = given.get(name);
    if (text === undefined || text === "") return undefined;
    const value = parse(text);
    if (value === undefined) refused.push(`${name}=${text}`);
    return value;
  };
  const list = <Value>(name: string, parse: (text: string) => Value | undefined): Value[] => {
    const read = (given.get(name) ?? "").split(",").filter(Boolean).map((text) => [text, parse(text)] as const);
    const unknown = read.filter(([, value]) => value === undefined).map(([text]) => text);
    if (unknown.length > 0) refused.push(`${name}=${unknown.join(",")}`);
    return read.flatMap(([, value]) => (value === undefined ? [] : [value]));
  };
  const oneOf = <Value extends string>(accepted: readonly Value[]) => (text: string) => accepted.find((own) => own === text);
  const codesOf = (name: string) => (codes[name] ?? []).map(({ code }) => String(code));
  const whole = (most: number) => (text: string) => (/^\d+$/.test(text) && Number(text) > 0 && Number(text) <= most ? Number(text) : undefined);
  const truth = (text: string) => (text === "true" ? true : text === "false" ? false : undefined);

  const place = read("near", drawnIn) ?? read("point", parsePoint) ?? read("of", (text) => featureIn(text, layers.map(({ id }) => id)));
  const empty = emptyQuestion(place ?? { kind: "point", lon: 0, lat: 0 });
  const asked = list("layer", oneOf(ASKED_LAYERS));
  const question: Question = {
    ...empty,
    layers: asked.length > 0 ? asked : empty.layers,
    k: read("k", whole(MOST_RESULTS)) ?? empty.k,
    people: read("people", whole(Number.MAX_SAFE_INTEGER)),
    night: read("night", truth) ?? empty.night,
    hazard: list("hazard", oneOf(codesOf("hazard"))),
    avoid: list("avoid", oneOf([...AVOIDED, ...codesOf("hazard")])),
    skills: list("skills", oneOf(codesOf("skill"))),
    items: list("items", (text) => amountIn(text, codesOf("stock_item"))),
    within: read("within", (text) => (DIVISION.test(text) ? text : undefined)) ?? "",
    by: read("by", oneOf(WAYS)) ?? empty.by,
    cover: read("cover", truth) ?? false,
    prefer: read("prefer", oneOf(PREFERENCES)) ?? empty.prefer,
  };
  return { question: place && question, refused };
}

function featureIn(text: string, layers: readonly string[]): Place | undefined {
  const [layer, ...id] = text.split("/");
  return layer && layers.includes(layer) && id.length > 0 ? { kind: "feature", layer, id: id.join("/"), name: "" } : undefined;
}

/** "tent_12m2:40"; without a quantity one. */
function amountIn(text: string, accepted: readonly string[]): Amount | undefined {
  const [code, quantity = "1"] = text.split(":");
  return code && accepted.includes(code) && Number(quantity) > 0 ? { code, quantity: Number(quantity) } : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A drawn shape in the URL: longitudes and latitudes; an area ends where it begins. */
function drawnIn(text: string): Place | undefined {
  const numbers = text.split(",").map(Number);
  if (numbers.length < 4 || numbers.length % 2 !== 0 || numbers.some((value) => !Number.isFinite(value))) return undefined;
  const positions = Array.from({ length: numbers.length / 2 }, (_, at) => [numbers[2 * at]!, numbers[2 * at + 1]!]);
  const [first, last] = [positions[0]!, positions.at(-1)!];
  const isArea = positions.length > 3 && first[0] === last[0] && first[1] === last[1];
  return drawnPlace(isArea ? { type: "Polygon", coordinates: [positions] } : { type: "LineString", coordinates: positions }, say("drawnShape"));
}
