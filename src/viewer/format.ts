// Formats values for display: distances, directions, ages, times, coordinates, coded values.
import type { Code, Field, Properties } from "./api";
import { language, pick, say, unitWord } from "./language";

const COMPASS: readonly (readonly [string, string])[] = [
  ["北", "north"], ["东北", "north-east"], ["东", "east"], ["东南", "south-east"],
  ["南", "south"], ["西南", "south-west"], ["西", "west"], ["西北", "north-west"],
];

/** @param onMap with Latin units only, because labels along a line with Chinese characters can become vertical */
export function distance(metres: number, onMap = false): string {
  const [m, km] = language() === "zh" && !onMap ? ["米", "公里"] : ["m", "km"];
  if (metres < 999.5) return `${Math.round(metres)} ${m}`;
  return `${(metres / 1000).toFixed(metres < 99_950 ? 1 : 0)} ${km}`;
}

/** A travel time in minutes, or hours and minutes. */
export function duration(seconds: number, onMap = false): string {
  const [h, min] = language() === "zh" && !onMap ? ["小时", "分钟"] : ["h", "min"];
  const minutes = Math.max(1, Math.round(seconds / 60));
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours > 0 ? `${hours} ${h}` : "", rest > 0 || hours === 0 ? `${rest} ${min}` : ""].filter(Boolean).join(" ");
}

/** An area: hectares and square kilometres when they are large. */
export function area(squareMetres: number): string {
  const [m2, ha, km2] = language() === "zh" ? ["平方米", "公顷", "平方公里"] : ["m²", "ha", "km²"];
  if (squareMetres < 9_999.5) return `${number(Math.round(squareMetres))} ${m2}`;
  if (squareMetres < 999_500) return `${(squareMetres / 10_000).toFixed(1)} ${ha}`;
  return `${(squareMetres / 1_000_000).toFixed(squareMetres < 99_500_000 ? 2 : 0)} ${km2}`;
}

/** One of eight directions for degrees clockwise from north. */
export function wind(bearingDeg: number): string {
  const [zh, en] = COMPASS[((Math.round(bearingDeg / 45) % 8) + 8) % 8]!;
  return language() === "zh" ? zh : en;
}

export function number(value: number): string {
  return value.toLocaleString(language() === "zh" ? "zh-CN" : "en", { maximumFractionDigits: 3 });
}

/** A duration in its largest unit. */
export function age(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} ${say("second")}`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} ${say("minute")}`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} ${say("hour")}`;
  return `${Math.round(seconds / 86_400)} ${say("day")}`;
}

/** Date and minute in Beijing time, regardless of the browser's time zone. */
export function time(text: string): string {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) return text;
  return new Intl.DateTimeFormat("sv-SE", {
    timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  }).format(moment);
}

export function coordinates(lon: number, lat: number): string {
  return language() === "zh"
    ? `东经 ${lon.toFixed(5)}°  北纬 ${lat.toFixed(5)}°`
    : `${lon.toFixed(5)}° E  ${lat.toFixed(5)}° N`;
}

export function codeOf(codes: readonly Code[] | undefined, value: unknown): Code | undefined {
  return codes?.find(({ code }) => code === value);
}

export function codeLabel(codes: readonly Code[] | undefined, value: unknown): string {
  const known = codeOf(codes, value);
  return known ? pick(known) : String(value);
}

/** A field's value for display; undefined if it is unknown. */
export function fieldValue(field: Field, properties: Properties, codes: Record<string, Code[]>): string | undefined {
  const value = properties[field.name];
  if (value === undefined || value === null || value === "") return undefined;
  const known = field.codes ? codes[field.codes] : undefined;
  switch (field.type) {
    case "boolean":
      return say(value ? "yes" : "no");
    case "datetime":
      return time(String(value));
    case "text_list":
      return list(value).map((one) => codeLabel(known, one)).join(say("listComma")) || undefined;
    case "json":
      return stock(value);
    case "integer":
    case "real": {
      if (known) return codeLabel(known, value);
      const unit = field.unit ? unitWord(field.unit) : field.name === "value" || field.name === "threshold" ? properties.unit : undefined;
      return [number(Number(value)), unit].filter(Boolean).join(" ");
    }
    case "text":
    case "date":
      return known ? codeLabel(known, value) : String(value);
  }
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** A depot's stock is a list of named quantities; other documents are shown as JSON. */
function stock(value: unknown): string | undefined {
  if (!Array.isArray(value)) return JSON.stringify(value);
  const lines = value.map((line: unknown) => {
    if (typeof line !== "object" || line === null || !("name" in line)) return JSON.stringify(line);
    const { name, quantity, unit } = line as { name: unknown; quantity?: number | null; unit?: string | null };
    const amount = quantity === undefined || quantity === null ? say("unknown") : `${number(quantity)} ${unit ?? ""}`.trim();
    return `${String(name)} ${amount}`;
  });
  return lines.length > 0 ? lines.join(language() === "zh" ? "；" : "; ") : undefined;
}
