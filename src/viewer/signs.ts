// Derives the symbols of a layer from the style, so that panel and legend match the map.
import type { LayerSpecification, StyleSpecification } from "maplibre-gl";
import { element } from "./element";
import { language } from "./language";
import { drawnOneByOne, metadata } from "./style";

/** The symbol of a layer for one value of one field, or for all other values. */
export type Sign = {
  shape: "disc" | "line" | "area";
  fill: string;
  edge: string;
  text: string;
  ink: string;
  dash?: number[];
};

type Values = Record<string, unknown>;

/** The symbol of a feature with these properties. */
export function signOf(style: StyleSpecification, layerId: string, values: Values = {}): Sign {
  const layers = drawnOneByOne(style, layerId);
  const sign: Sign = { shape: "area", fill: "transparent", edge: "transparent", text: "", ink: "#2f2a25" };
  const disc = layers.findLast((layer) => layer.type === "circle");
  if (disc) {
    sign.shape = "disc";
    sign.fill = colour(disc, "circle-color", values) ?? sign.fill;
    sign.edge = colour(disc, "circle-stroke-color", values) ?? sign.edge;
  } else {
    const areas = layers.filter((layer) => layer.type === "fill");
    const lines = layers.filter((layer) => layer.type === "line" && passes(layer, values));
    sign.shape = areas.length > 0 ? "area" : "line";
    if (areas[0]) sign.fill = colour(areas[0], "fill-color", values) ?? sign.fill;
    const line = lines.at(-1);
    if (line) {
      sign.edge = colour(line, "line-color", values) ?? sign.edge;
      if (sign.shape === "line") sign.fill = sign.edge;
      const dash = resolve(paint(line)["line-dasharray"], values);
      if (Array.isArray(dash) && dash.length > 1 && dash[1] !== 0) sign.dash = dash as number[];
      const casing = lines.find((other) => other.id === `${line.id}-case`);
      if (casing) sign.edge = colour(casing, "line-color", values) ?? sign.edge;
    }
  }
  const letters = layers.find((layer) => layer.type === "symbol" && layer.id === `${layerId}-sign`);
  if (letters?.type === "symbol") {
    const english = metadata(letters)["onemap:text-field-en"];
    sign.text = String(resolve(language() === "en" ? english : letters.layout?.["text-field"], values) ?? "");
    sign.ink = colour(letters, "text-color", values) ?? sign.ink;
  }
  return sign;
}

/** The fields that determine the symbol of a layer, colours before characters. */
export function fieldsDrawn(style: StyleSpecification, layerId: string): Set<string> {
  const found = new Set<string>();
  for (const layer of drawnOneByOne(style, layerId)) {
    const drawing = paint(layer);
    const looks = ["circle-color", "circle-stroke-color", "fill-color", "line-color"].map((name) => drawing[name]);
    const letters = layer.id === `${layerId}-sign` && layer.type === "symbol" ? layer.layout?.["text-field"] : undefined;
    const classes = layer.type === "line" && "filter" in layer ? layer.filter : undefined;
    for (const expression of [...looks, classes, letters]) collectFields(expression, found);
  }
  return found;
}

/** Draws a symbol as a small image. */
export function swatch(sign: Sign): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 22 22");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("aria-hidden", "true");
  const draw = (tag: string, attributes: Record<string, string | number>) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    svg.append(made);
    return made;
  };
  const dash: Record<string, string> = sign.dash
    ? { "stroke-dasharray": sign.dash.map((length) => length * 2).join(" ") }
    : {};
  if (sign.shape === "disc") {
    const small = sign.text === "";
    const pale = sign.edge.toLowerCase() === "#ffffff";
    draw("circle", {
      cx: 11, cy: 11, r: small ? 5 : 9, fill: sign.fill,
      stroke: pale ? "none" : sign.edge, "stroke-width": pale ? 0 : 2,
    });
  } else if (sign.shape === "line") {
    if (sign.edge !== sign.fill) draw("path", { d: "M1 11h20", stroke: sign.edge, "stroke-width": 6 });
    draw("path", { d: "M1 11h20", stroke: sign.fill, "stroke-width": sign.edge === sign.fill ? 3 : 4, ...dash });
  } else {
    draw("rect", {
      x: 2, y: 4, width: 18, height: 14, rx: 1.5, fill: sign.fill, "fill-opacity": 0.35,
      stroke: sign.edge, "stroke-width": 2, ...dash,
    });
  }
  if (sign.text) {
    const text = draw("text", {
      x: 11, y: 11, fill: sign.ink, "text-anchor": "middle", "dominant-baseline": "central",
      "font-size": sign.text.length > 1 ? 9.5 : 11.5, "font-weight": 700,
    });
    text.textContent = sign.text;
  }
  return svg;
}

/** Draws a symbol on a canvas, in a square. */
export function drawSign(out: CanvasRenderingContext2D, sign: Sign, x: number, y: number, side: number): void {
  const middle = side / 2;
  [out.fillStyle, out.strokeStyle, out.lineWidth] = [sign.fill, sign.edge, side / 10];
  out.beginPath();
  if (sign.shape === "disc") {
    out.arc(x + middle, y + middle, side * 0.42, 0, 2 * Math.PI);
    out.fill();
    if (sign.edge.toLowerCase() !== "#ffffff") out.stroke();
  } else if (sign.shape === "line") {
    out.strokeStyle = sign.fill;
    out.lineWidth = side / 6;
    out.moveTo(x, y + middle);
    out.lineTo(x + side, y + middle);
    out.stroke();
  } else {
    out.rect(x + side * 0.05, y + side * 0.12, side * 0.9, side * 0.76);
    out.fill();
    out.stroke();
  }
  if (!sign.text) return;
  out.fillStyle = sign.ink;
  out.textAlign = "center";
  out.textBaseline = "middle";
  out.font = `700 ${side * 0.55}px ${getComputedStyle(document.body).fontFamily}`;
  out.fillText(sign.text, x + middle, y + middle);
  out.textBaseline = "alphabetic";
}

/** A swatch with its text; a long text takes the whole width. */
export function entry(sign: Sign, words: string): HTMLElement {
  // A Chinese character is as wide as two letters.
  const width = [...words].reduce((sum, letter) => sum + (letter > "\u2e80" ? 2 : 1), 0);
  return element("span", { class: width > 19 ? "entry wide" : "entry" }, swatch(sign), element("span", {}, words));
}

function paint(layer: LayerSpecification): Values {
  return (layer.paint ?? {}) as Values;
}

function colour(layer: LayerSpecification, name: string, values: Values): string | undefined {
  const found = resolve(paint(layer)[name], values);
  return typeof found === "string" ? found : undefined;
}

/** Evaluates the few expressions that the style uses for symbols; zoom-dependent numbers are not needed here. */
function resolve(expression: unknown, values: Values): unknown {
  if (!Array.isArray(expression)) return expression;
  const [operator, ...rest] = expression as [string, ...unknown[]];
  switch (operator) {
    case "get":
      return values[rest[0] as string];
    case "literal":
      return rest[0];
    case "match": {
      const [input, ...branches] = rest;
      const value = resolve(input, values);
      for (let at = 0; at + 1 < branches.length; at += 2) {
        const label = branches[at];
        if (Array.isArray(label) ? label.includes(value) : label === value) return resolve(branches[at + 1], values);
      }
      return resolve(branches.at(-1), values);
    }
    case "case": {
      for (let at = 0; at + 1 < rest.length; at += 2) {
        if (resolve(rest[at], values) === true) return resolve(rest[at + 1], values);
      }
      return resolve(rest.at(-1), values);
    }
    case "all":
      return rest.every((test) => resolve(test, values) === true);
    case "!":
      return resolve(rest[0], values) !== true;
    case "==":
      return resolve(rest[0], values) === resolve(rest[1], values);
    case "!=":
      return resolve(rest[0], values) !== resolve(rest[1], values);
    case ">=":
      return Number(resolve(rest[0], values)) >= Number(resolve(rest[1], values));
    case "in":
      return (resolve(rest[1], values) as unknown[]).includes(resolve(rest[0], values));
    case "typeof":
      return typeof resolve(rest[0], values);
    case "coalesce":
      return rest.map((one) => resolve(one, values)).find((value) => value !== undefined && value !== null);
    default:
      return typeof operator === "string" ? undefined : expression;
  }
}

function passes(layer: LayerSpecification, values: Values): boolean {
  if (!("filter" in layer) || layer.filter === undefined) return true;
  return resolve(layer.filter, values) === true;
}

function collectFields(expression: unknown, found: Set<string>): void {
  if (!Array.isArray(expression)) return;
  if (expression[0] === "get") found.add(expression[1] as string);
  else for (const inner of expression.slice(1)) collectFields(inner, found);
}
