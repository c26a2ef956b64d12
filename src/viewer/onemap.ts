/**
 * Adds the live layers of a onemap server to a MapLibre map of another page:
 *
 *     import { addOnemap } from "https://onemap.example/viewer/onemap.js";
 *     const live = await addOnemap(map, { url: "https://onemap.example", layers: ["shelters", "incidents"] });
 *     const { features } = await live.nearest([118.86, 26.22], { layer: "shelters", people: 120 });
 *     live.remove();
 *
 * Changed tiles are requested again as soon as the server announces a change.
 */
import type { Map, SourceSpecification, StyleSpecification } from "maplibre-gl";
import { tilesOf } from "./web_mercator";

type Box = readonly [number, number, number, number];
type Metadata = { "onemap:layer"?: string };

export type Options = {
  /** Address of the server, with its path if it has one. */
  url: string;
  /** Ids of layers; all layers of the style without it. */
  layers?: string[];
  /** A style of the server: onemap (default), onemap-dark or onemap-print. */
  style?: string;
  /** Id of the style layer of the map below which the layers are drawn; on top without it. */
  before?: string;
};

export type Live = {
  /** The nearest resources: the parameters of /api/nearest besides the point. */
  nearest: (point: readonly [number, number], parameters: Record<string, string | number | boolean>) => Promise<GeoJSON.FeatureCollection>;
  /** Removes the layers, and ends the stream of changes. */
  remove: () => void;
};

const PREFIX = "onemap:";
/** Maximum zoom of the server's tiles. */
const MAX_ZOOM = 16;
/** Layers of the background, which the other map has. */
const BACKGROUND = ["paper", "county", "townships"];

/** @throws when the server cannot be reached, or has no such style. */
export async function addOnemap(map: Map, { url, layers, style = "onemap", before }: Options): Promise<Live> {
  const base = url.replace(/\/+$/, "");
  const own = await ask<StyleSpecification>(`${base}/styles/${encodeURIComponent(style)}.json`);
  const of = (layer: StyleSpecification["layers"][number]) => (layer.metadata as Metadata | undefined)?.["onemap:layer"];
  const shown = own.layers.filter((layer) => {
    const id = of(layer);
    return id !== undefined && (layers ? layers.includes(id) : !BACKGROUND.includes(id));
  });
  const sources = [...new Set(shown.flatMap((layer) => ("source" in layer && typeof layer.source === "string" ? [layer.source] : [])))];
  for (const id of sources) map.addSource(PREFIX + id, own.sources[id] as SourceSpecification);
  for (const layer of shown) {
    map.addLayer({ ...layer, id: PREFIX + layer.id, ...("source" in layer ? { source: PREFIX + String(layer.source) } : {}) } as never, before);
  }
  const events = new EventSource(`${base}/api/events${layers ? `?layers=${layers.map(encodeURIComponent).join(",")}` : ""}`);
  events.addEventListener("change", (event) => {
    const { boxes } = JSON.parse((event as MessageEvent<string>).data) as { boxes: Box[] };
    const deepest = Math.min(MAX_ZOOM, Math.ceil(map.getZoom()) + 1);
    const tiles = boxes.flatMap((box) => Array.from({ length: deepest + 1 }, (_, z) => tilesOf(box, z)).flat());
    for (const id of sources) map.refreshTiles(PREFIX + id, tiles);
  });
  events.addEventListener("reset", () => sources.forEach((id) => map.refreshTiles(PREFIX + id)));
  return {
    nearest: ([lon, lat], parameters) => {
      const query = new URLSearchParams({ point: `${lon},${lat}` });
      for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
      return ask(`${base}/api/nearest?${query}`);
    },
    remove: () => {
      events.close();
      for (const layer of shown) if (map.getLayer(PREFIX + layer.id)) map.removeLayer(PREFIX + layer.id);
      for (const id of sources) if (map.getSource(PREFIX + id)) map.removeSource(PREFIX + id);
    },
  };
}

async function ask<Reply>(address: string): Promise<Reply> {
  const response = await fetch(address);
  if (response.ok) return (await response.json()) as Reply;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; title?: string };
  throw new Error(problem.detail ?? problem.title ?? `${response.status} ${response.statusText}`);
}
