// Adapts the style of the server to this page: incidents and warnings from a list, symbols in the chosen language.
import type { ExpressionSpecification, FilterSpecification, LayerSpecification, Map, StyleSpecification } from "maplibre-gl";
import type { FeatureCollection, Geometry } from "geojson";
import type { Properties } from "./api";
import { language } from "./language";
import { OVER, SIGNED } from "./situation";

/** Layer of the base map, and beginning of the names of its sources. */
export const BASE_MAP = "base_map";

type Metadata = { "onemap:layer"?: string; "onemap:cluster"?: boolean; "onemap:text-field-en"?: ExpressionSpecification | string };

export function metadata(layer: LayerSpecification): Metadata {
  return (layer.metadata ?? {}) as Metadata;
}

/** The style layers that draw one layer of the catalog, bottom first. */
export function drawnBy(style: StyleSpecification, layerId: string): LayerSpecification[] {
  return style.layers.filter((layer) => metadata(layer)["onemap:layer"] === layerId);
}

/** The same without the style layers of its clusters. */
export function drawnOneByOne(style: StyleSpecification, layerId: string): LayerSpecification[] {
  return drawnBy(style, layerId).filter((layer) => !metadata(layer)["onemap:cluster"]);
}

/**
 * Draws incidents and warnings from the list that the panel shows, so that both show the same state, and moves all
 * except their areas above everything else.
 */
export function drawSituation(
  style: StyleSpecification,
  drawn: Record<string, FeatureCollection<Geometry, Properties>>,
): StyleSpecification {
  const isOwn = (layer: LayerSpecification) => (metadata(layer)["onemap:layer"] ?? "") in drawn;
  const own = style.layers.filter(isOwn).map((layer) => {
    const { "source-layer": _, ...rest } = layer as LayerSpecification & { "source-layer"?: string };
    const own = { ...rest, source: metadata(layer)["onemap:layer"] } as LayerSpecification;
    return faded(own.type === "symbol" ? { ...own, filter: ["all", own.filter ?? true, ["!=", ["get", SIGNED], true]] as FilterSpecification } : own);
  });
  const below = new Set(own.filter(({ type }) => type === "fill").map(({ id }) => id));
  return {
    ...style,
    sources: {
      ...style.sources,
      ...Object.fromEntries(Object.entries(drawn).map(([id, data]) => [id, { type: "geojson" as const, data }])),
    },
    layers: [
      ...style.layers.flatMap((layer) => (isOwn(layer) ? own.filter(({ id }) => id === layer.id && below.has(id)) : [layer])),
      ...own.filter(({ id }) => !below.has(id)),
    ],
  };
}

const OPACITIES: Record<string, string[]> = {
  fill: ["fill-opacity"], line: ["line-opacity"], circle: ["circle-opacity", "circle-stroke-opacity"], symbol: ["text-opacity"],
};

/** Ended ones are faded. */
function faded(layer: LayerSpecification): LayerSpecification {
  const paint = { ...layer.paint } as Record<string, unknown>;
  for (const name of OPACITIES[layer.type] ?? []) {
    paint[name] = ["*", ["case", ["==", ["get", OVER], true], 0.4, 1], paint[name] ?? 1];
  }
  return { ...layer, paint } as LayerSpecification;
}

/** Sets each one-character symbol to the Chinese of the style or to the English in its metadata. */
export function spellSymbols(map: Map, style: StyleSpecification): void {
  for (const layer of style.layers) {
    const english = metadata(layer)["onemap:text-field-en"];
    if (layer.type !== "symbol" || english === undefined) continue;
    map.setLayoutProperty(layer.id, "text-field", language() === "en" ? english : layer.layout?.["text-field"]);
  }
}

/** Shows or hides the style layers of a layer. */
export function show(map: Map, style: StyleSpecification, layerId: string, visible: boolean): void {
  for (const layer of drawnBy(style, layerId)) {
    map.setLayoutProperty(layer.id, "visibility", visible ? "visible" : "none");
  }
}
