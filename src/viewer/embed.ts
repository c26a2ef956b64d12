// What the URL says about the page: `layers` names what is shown, `view` or the hash what part of the map; with `embed=1` the
// map is inside another page, without header and panels.
import type { LayerPanel } from "./layers";
import type { Catalog } from "./api";
import { BASE_MAP } from "./style";

const parameters = new URLSearchParams(location.search);
export const isEmbedded = parameters.get("embed") === "1";

/** Hides everything but the map and its tools. */
export function startEmbedding(): void {
  if (isEmbedded) document.documentElement.dataset.embed = "true";
}

/** Shows only the layers that the URL names, with the background; unknown names are listed. */
export function showNamedLayers(panel: LayerPanel, catalog: Catalog): string[] {
  const named = (parameters.get("layers") ?? "").split(",").filter(Boolean);
  if (named.length === 0) return [];
  const shown = new Set([...named, BASE_MAP, ...catalog.layers.filter(({ group, geometry }) => group === "base" && geometry !== "point").map(({ id }) => id)]);
  panel.showOnly(shown);
  return named.filter((id) => !panel.ids().includes(id));
}

/** The view that the URL names (view=LON,LAT,ZOOM); undefined without one, or if the hash names another. */
export function viewInAddress(): { center: [number, number]; zoom: number } | undefined {
  const [lon, lat, zoom, ...more] = (parameters.get("view") ?? "").split(",").map((text) => (text.trim() === "" ? NaN : Number(text)));
  const isPlace = [lon, lat, zoom].every((number) => Number.isFinite(number)) && Math.abs(lon!) <= 180 && Math.abs(lat!) <= 85;
  if (!isPlace || more.length > 0 || location.hash.includes("map=")) return undefined;
  return { center: [lon!, lat!], zoom: zoom! };
}
