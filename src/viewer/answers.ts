// Draws an answer on the map: the asked point, a line to each that can help, a ring around it, the distance.
import { Marker, type GeoJSONSource, type Map } from "maplibre-gl";
import type { Feature } from "geojson";
import type { Answer } from "./api";
import { element } from "./element";
import { distance } from "./format";

const SOURCE = "answers";

export class AnswerLines {
  readonly #marker = new Marker({ element: element("div", { class: "asked", "aria-hidden": "true" }), anchor: "bottom" });

  /** @param colours the colour of each layer that can be asked */
  constructor(private readonly map: Map, private readonly colours: Record<string, string>) {
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer({
      id: "answers-line", type: "line", source: SOURCE, filter: ["==", ["geometry-type"], "LineString"],
      layout: { "line-cap": "round" },
      paint: { "line-color": ["get", "colour"], "line-width": 2, "line-dasharray": [2, 1.6], "line-opacity": 0.9 },
    });
    map.addLayer({
      id: "answers-ring", type: "circle", source: SOURCE, filter: ["==", ["geometry-type"], "Point"],
      paint: {
        "circle-color": "transparent", "circle-stroke-color": ["get", "colour"], "circle-stroke-width": 2.5,
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 8, 8, 12, 12, 17, 17],
      },
    });
    map.addLayer({
      id: "answers-distance", type: "symbol", source: SOURCE, filter: ["==", ["geometry-type"], "LineString"],
      layout: {
        "symbol-placement": "line-center", "text-field": ["get", "distance"], "text-size": 11.5, "text-font": ["Noto Sans Bold"],
      },
      paint: { "text-color": ["get", "colour"], "text-halo-color": "#ffffff", "text-halo-width": 2 },
    });
  }

  ask(lon: number, lat: number): void {
    this.#marker.setLngLat([lon, lat]).addTo(this.map);
    this.#set([]);
  }

  draw(lon: number, lat: number, answers: Answer[]): void {
    this.#set(answers.flatMap(({ layer, features }) => features.flatMap((feature): Feature[] => {
      const properties = { colour: this.colours[layer] ?? "#2f2a25", distance: distance(Number(feature.properties.distance_m), true) };
      return [
        { type: "Feature", properties, geometry: feature.geometry },
        { type: "Feature", properties, geometry: { type: "LineString", coordinates: [[lon, lat], feature.geometry.coordinates] } },
      ];
    })));
  }

  clear(): void {
    this.#marker.remove();
    this.#set([]);
  }

  #set(features: Feature[]): void {
    this.map.getSource<GeoJSONSource>(SOURCE)?.setData({ type: "FeatureCollection", features });
  }
}
