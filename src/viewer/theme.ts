// The theme of the page and of the map: as the system prefers, or as chosen by the button or `?theme=`.
import type { Map, StyleSpecification } from "maplibre-gl";
import { onLanguage, say } from "./language";

export type Theme = "light" | "dark";

const KEPT_AS = "onemap.theme";
const listeners: (() => void)[] = [];
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let chosen: Theme | undefined = named(new URLSearchParams(location.search).get("theme")) ?? named(stored());

export function theme(): Theme {
  return chosen ?? (prefersDark.matches ? "dark" : "light");
}

/** The name of the map style of the theme. */
export function styleName(): string {
  return theme() === "dark" ? "onemap-dark" : "onemap";
}

/** Calls the listener at every change. */
export function onTheme(listener: () => void): void {
  listeners.push(listener);
}

/** Shows the theme and starts its button. */
export function startTheme(button: HTMLButtonElement): void {
  button.addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEPT_AS, chosen);
    } catch {
      // Without storage the theme lasts until the page is closed.
    }
    change();
  });
  prefersDark.addEventListener("change", change);
  onLanguage(() => mark(button));
  onTheme(() => mark(button));
  document.documentElement.dataset.theme = theme();
}

/** Paint of a base map that a theme may change. */
const RASTER_PAINT = ["raster-brightness-max", "raster-saturation", "raster-contrast"] as const;

/** Gives the map the colours of a style with the same style layers. */
export function recolour(map: Map, style: StyleSpecification): void {
  for (const layer of style.layers) {
    if (!map.getLayer(layer.id)) continue;
    // A base map in the light theme has no paint, which is the default.
    if (layer.type === "raster") for (const property of RASTER_PAINT) map.setPaintProperty(layer.id, property, layer.paint?.[property]);
    for (const [property, value] of Object.entries(layer.paint ?? {})) {
      if (property.endsWith("color")) map.setPaintProperty(layer.id, property as never, value as never);
    }
  }
}

function mark(button: HTMLButtonElement): void {
  const word = theme() === "dark" ? "lightTheme" : "darkTheme";
  button.title = say(word);
  button.setAttribute("aria-label", say(word));
}

function change(): void {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}

function named(name: string | null): Theme | undefined {
  return name === "light" || name === "dark" ? name : undefined;
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null;
  }
}
