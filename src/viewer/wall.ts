// Layout for wall screens (?wall=1): text and symbols scale with the screen, and a clock shows Beijing time.
import type { LayerSpecification, StyleSpecification } from "maplibre-gl";
import { element, part } from "./element";
import { language, onLanguage, say } from "./language";

/** Screen width at scale 1, CSS pixels. */
const USUAL_WIDTH_PX = 1_600;
const SIZES = {
  paint: ["circle-radius", "circle-stroke-width", "line-width", "line-gap-width", "text-halo-width", "circle-translate", "text-translate"],
  layout: ["text-size", "icon-size"],
} as const;

export const isWall = new URLSearchParams(location.search).get("wall") === "1";

/** Scale relative to a desktop screen. */
export function wallScale(): number {
  return isWall ? Math.max(1, window.innerWidth / USUAL_WIDTH_PX) : 1;
}

/** Switches the page to the wall layout and starts its clock. */
export function startWall(): void {
  if (!isWall) return;
  document.documentElement.dataset.wall = "true";
  const grow = () => document.documentElement.style.setProperty("--scale", String(wallScale()));
  window.addEventListener("resize", grow);
  grow();
  const clock = part("clock");
  clock.hidden = false;
  const tick = () => {
    const now = new Date();
    const options = { timeZone: "Asia/Shanghai" } as const;
    const locale = language() === "zh" ? "zh-CN" : "en-GB";
    clock.replaceChildren(
      element("span", { class: "date" }, new Intl.DateTimeFormat(locale, { ...options, year: "numeric", month: "long", day: "numeric", weekday: "long" }).format(now)),
      element("span", { class: "time" }, new Intl.DateTimeFormat("en-GB", { ...options, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(now)),
      element("span", { class: "zone" }, say("beijingTime")));
  };
  onLanguage(tick);
  setInterval(tick, 1_000);
}

/** The style with larger type, lines and symbols. */
export function enlarged(style: StyleSpecification, factor: number): StyleSpecification {
  if (factor === 1) return style;
  return { ...style, layers: style.layers.map((layer) => enlargedLayer(layer, factor)) };
}

function enlargedLayer(layer: LayerSpecification, factor: number): LayerSpecification {
  const copy = structuredClone(layer) as LayerSpecification & { paint?: Record<string, unknown>; layout?: Record<string, unknown> };
  for (const kind of ["paint", "layout"] as const) {
    const properties = copy[kind] as Record<string, unknown> | undefined;
    if (!properties) continue;
    for (const name of SIZES[kind]) if (properties[name] !== undefined) properties[name] = times(properties[name], factor);
  }
  // Layers without a size use the default of the library.
  if (copy.type === "symbol" && copy.layout && "text-field" in copy.layout && !("text-size" in copy.layout)) copy.layout["text-size"] = 16 * factor;
  return copy as LayerSpecification;
}

/** Multiplies a number, a pair or an expression by a factor; a zoom expression must stay outermost. */
function times(value: unknown, factor: number): unknown {
  if (typeof value === "number") return value * factor;
  if (!Array.isArray(value)) return value;
  if (value.every((part) => typeof part === "number")) return value.map((part) => Number(part) * factor);
  const [operator] = value as [string];
  if (operator === "interpolate") return value.map((part, at) => (at >= 4 && at % 2 === 0 ? times(part, factor) : part));
  if (operator === "step") return value.map((part, at) => (at >= 2 && at % 2 === 0 ? times(part, factor) : part));
  return ["*", factor, value];
}
