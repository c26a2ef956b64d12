// The map on an HTML page of features: the features of the page over the base map of the county.
import { LngLatBounds, Map, setWorkerUrl, type StyleSpecification } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import "./pages.css";
import { LOCAL_FONTS } from "./map";

interface Shape {
  type: string;
  coordinates: unknown;
}

const COLOR = "#b3261e";
const box = document.getElementById("map");
if (box) void start(box).catch(() => (box.hidden = true));

async function start(box: HTMLElement): Promise<void> {
  const [features, style] = (await Promise.all(
    [box.dataset.features!, new URL("../styles/onemap.json", import.meta.url)].map(async (address) => (await fetch(address)).json()),
  )) as [{ features?: { geometry: Shape | null }[]; geometry?: Shape | null }, StyleSpecification];
  const bounds = new LngLatBounds();
  for (const feature of features.features ?? [features]) extend(bounds, feature.geometry?.coordinates);
  if (bounds.isEmpty()) {
    box.hidden = true;
    return;
  }
  setWorkerUrl(new URL("maplibre-gl-worker.mjs", import.meta.url).href);
  // Only the base map; the features of the page are drawn over it.
  const grounds = ["county", "townships", "roads"];
  const layers = style.layers.filter((layer) => grounds.includes(String((layer as { "source-layer"?: string })["source-layer"] ?? "county")));
  const map = new Map({
    container: box,
    style: { ...style, layers },
    bounds,
    fitBoundsOptions: { padding: 40, maxZoom: 14, animate: false },
    attributionControl: false,
    localIdeographFontFamily: LOCAL_FONTS,
  });
  map.scrollZoom.disable();
  map.once("load", () => {
    map.addSource("features", { type: "geojson", data: features as never });
    const is = (kind: string) => ["==", ["geometry-type"], kind] as never;
    map.addLayer({ id: "areas", type: "fill", source: "features", filter: is("Polygon"), paint: { "fill-color": COLOR, "fill-opacity": 0.25 } });
    map.addLayer({ id: "lines", type: "line", source: "features", filter: ["!", is("Point")] as never, paint: { "line-color": COLOR, "line-width": 2 } });
    map.addLayer({
      id: "points",
      type: "circle",
      source: "features",
      filter: is("Point"),
      paint: { "circle-color": COLOR, "circle-radius": 5, "circle-stroke-color": "#fff", "circle-stroke-width": 1.5 },
    });
    box.dataset.drawn = "true";
  });
}

function extend(bounds: LngLatBounds, coordinates: unknown): void {
  if (!Array.isArray(coordinates)) return;
  if (typeof coordinates[0] === "number") bounds.extend([coordinates[0], coordinates[1] as number]);
  else for (const part of coordinates) extend(bounds, part);
}
