// The areas that can be reached by road from a place, or from which it can be reached, in three times.
import type { FeatureCollection, MultiPolygon } from "geojson";
import type { GeoJSONSource, LayerSpecification, Map } from "maplibre-gl";
import { isochrones, item, ServerError } from "./api";
import { onLanguage, say } from "./language";
import { notice, settle } from "./notices";
import type { Found } from "./popup";

const SOURCE = "reach";
const MINUTES = [10, 20, 30];
/** Whoever is there leaves from there; the others are reached from elsewhere. */
const OUTWARD = new Set(["villages", "teams", "depots"]);
const COLOURS = ["step", ["get", "minutes"], "#0b6e4f", 15, "#2f8f9d", 25, "#6a7fdb"];

export class Reach {
  #shown: string | undefined;
  #areas: FeatureCollection<MultiPolygon | null, { minutes: number }> | undefined;
  #request = new AbortController();

  constructor(private readonly map: Map) {
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const layers = [
      { id: "reach-area", type: "fill", source: SOURCE, paint: { "fill-color": COLOURS, "fill-opacity": 0.16 } },
      { id: "reach-line", type: "line", source: SOURCE, paint: { "line-color": COLOURS, "line-width": 2 } },
      {
        id: "reach-label", type: "symbol", source: SOURCE,
        layout: { "symbol-placement": "line", "text-field": ["get", "label"], "text-size": 13, "text-font": ["Noto Sans Bold"], "symbol-spacing": 350 },
        paint: { "text-color": COLOURS, "text-halo-color": "#ffffff", "text-halo-width": 2 },
      },
    ] as unknown as LayerSpecification[];
    for (const layer of layers) map.addLayer(layer);
    onLanguage(() => this.#draw());
  }

  /** Shows the areas of a place, or takes them off the map if they are shown. */
  async toggle({ layer, id }: Found): Promise<void> {
    const place = `${layer}/${id}`;
    const isShown = this.#shown === place;
    this.clear();
    if (isShown) return;
    this.#shown = place;
    const { signal } = this.#request;
    try {
      const { geometry } = await item(layer, id, signal);
      if (geometry.type !== "Point") return;
      this.#areas = await isochrones(geometry.coordinates, MINUTES, OUTWARD.has(layer) ? "outward" : "inward", signal);
      settle("reach");
    } catch (error) {
      if (signal.aborted) return;
      notice("reach", "askFailed", () => (error instanceof ServerError ? error.message : String(error)));
    }
    this.#draw();
  }

  clear(): void {
    this.#request.abort();
    this.#request = new AbortController();
    this.#shown = undefined;
    this.#areas = undefined;
    this.#draw();
  }

  #draw(): void {
    const features = (this.#areas?.features ?? []).map((area) => ({
      ...area, properties: { ...area.properties, label: `${area.properties.minutes} ${say("minutes")}` },
    }));
    this.map.getSource<GeoJSONSource>(SOURCE)?.setData({ type: "FeatureCollection", features: features.filter(({ geometry }) => geometry !== null) as GeoJSON.Feature[] });
  }
}
