// Draws the results of a query on the map: the query point, and for each resource a line, a ring and the distance.
import { Marker, type GeoJSONSource, type LayerSpecification, type Map } from "maplibre-gl";
import type { Feature, Geometry } from "geojson";
import type { Answer, Result, Route } from "./api";
import { element } from "./element";
import { distance, duration } from "./format";
import { nearestPlace, type LonLat } from "./geometry";

const SOURCE = "answers";
const LAYERS: LayerSpecification[] = [
  {
    id: "answers-line", type: "line", source: SOURCE, filter: ["==", ["geometry-type"], "LineString"],
    layout: { "line-cap": "round" },
    paint: { "line-color": ["get", "colour"], "line-width": 3, "line-dasharray": [2, 1.2] },
  },
  {
    id: "answers-ring", type: "circle", source: SOURCE, filter: ["==", ["geometry-type"], "Point"],
    paint: {
      "circle-color": "transparent", "circle-stroke-color": ["get", "colour"], "circle-stroke-width": 3.5,
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 8, 8, 12, 12, 17, 17],
    },
  },
  {
    id: "answers-distance", type: "symbol", source: SOURCE, filter: ["==", ["geometry-type"], "LineString"],
    layout: {
      "symbol-placement": "line-center", "text-field": ["get", "distance"], "text-size": 13, "text-font": ["Noto Sans Bold"],
    },
    paint: { "text-color": ["get", "colour"], "text-halo-color": "#ffffff", "text-halo-width": 2.5 },
  },
];
/** Maximum number of lines, to keep the map readable. */
const MOST_LINES = 60;

export class AnswerLines {
  readonly #marker = new Marker({ element: element("div", { class: "asked", "aria-hidden": "true" }), anchor: "bottom" });

  /** @param colours the colour of each layer that can be queried */
  constructor(private readonly map: Map, private readonly colours: Record<string, string>) {
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    for (const layer of LAYERS) map.addLayer(layer);
  }

  ask(lon: number, lat: number): void {
    this.#marker.setLngLat([lon, lat]).addTo(this.map);
    this.#set([]);
  }

  /**
   * @param from the query geometry; each line starts at its position nearest to the result
   * @param routes the journeys to the results, if these are by road; until they arrive there are no lines
   */
  draw(from: Geometry | undefined, answer: Answer, routes: ReadonlyMap<Result, Route> | undefined): void {
    this.#set(answer.features.slice(0, MOST_LINES).flatMap((feature): Feature[] => {
      const layer = String(feature.properties.layer ?? answer.layers[0]?.layer);
      const metres = Number(feature.properties.distance_m);
      const route = routes?.get(feature);
      const label = route ? duration(route.properties.duration_s, true) : distance(metres, true);
      const properties = { colour: this.colours[layer] ?? "#2f2a25", distance: label };
      const ring: Feature = { type: "Feature", properties, geometry: feature.geometry };
      if (routes) return route ? [ring, { type: "Feature", properties, geometry: route.geometry }] : [ring];
      const start = metres < 1 ? undefined : nearestPlace(from ?? null, feature.geometry.coordinates as LonLat);
      return start ? [ring, { type: "Feature", properties, geometry: { type: "LineString", coordinates: [start, feature.geometry.coordinates] } }] : [ring];
    }));
  }

  clear(): void {
    this.#marker.remove();
    this.#set([]);
  }

  #set(features: Feature[]): void {
    this.map.getSource<GeoJSONSource>(SOURCE)?.setData({ type: "FeatureCollection", features });
  }
}
