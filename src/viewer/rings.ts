// Lines on the map at distances around a geometry.
import type { GeoJSONSource, Map } from "maplibre-gl";
import type { Geometry, MultiLineString } from "geojson";
import { boundsOf, contains, nearestPlace, type LonLat } from "./geometry";

const ID = "rings";
const COLOUR = "#1d5c96";
const METRES_PER_DEGREE = 111_195;
/** Cells along a side of the grid on which distances are computed. */
const CELLS = 96;
/** Room around the greatest distance, so that its line is closed. */
const MARGIN = 1.02;

export class Rings {
  constructor(private readonly map: Map) {}

  /** Draws the lines at these distances, metres, instead of earlier ones. */
  draw(geometry: Geometry | undefined, distances: readonly number[]): void {
    const lines = geometry && distances.length > 0 ? linesAround(geometry, distances) : [];
    const data: MultiLineString = { type: "MultiLineString", coordinates: lines };
    const source = this.map.getSource<GeoJSONSource>(ID);
    if (source) {
      source.setData(data);
      return;
    }
    if (lines.length === 0) return;
    this.map.addSource(ID, { type: "geojson", data });
    this.map.addLayer({ id: ID, type: "line", source: ID, layout: { "line-cap": "round" }, paint: { "line-color": COLOUR, "line-width": 2.5 } });
  }

  clear(): void {
    this.draw(undefined, []);
  }
}

/** The segments of the lines at these distances: marching squares on a grid of distances, which are 0 inside an area. */
function linesAround(geometry: Geometry, distances: readonly number[]): LonLat[][] {
  const bounds = boundsOf(geometry);
  if (!bounds) return [];
  const [west, south, east, north] = bounds;
  const shrink = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const room = (Math.max(...distances) * MARGIN) / METRES_PER_DEGREE;
  const [left, low] = [west - room / shrink, south - room];
  const [width, height] = [(east - west + (2 * room) / shrink) / CELLS, (north - south + 2 * room) / CELLS];
  const place = (column: number, row: number): LonLat => [left + column * width, low + row * height];
  const grid = Array.from({ length: CELLS + 1 }, (_, row) => Array.from({ length: CELLS + 1 }, (_, column) => {
    const at = place(column, row);
    const nearest = contains(geometry, at) ? at : nearestPlace(geometry, at) ?? at;
    return Math.hypot((nearest[0] - at[0]) * shrink, nearest[1] - at[1]) * METRES_PER_DEGREE;
  }));
  const crossings = (column: number, row: number, metres: number): LonLat[] => {
    const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]] as const;
    return corners.flatMap(([x, y], at): LonLat[] => {
      const [otherX, otherY] = corners[(at + 1) % corners.length]!;
      const [own, other] = [grid[y]![x]!, grid[otherY]![otherX]!];
      if (own <= metres === other <= metres) return [];
      const share = (metres - own) / (other - own);
      return [place(x + (otherX - x) * share, y + (otherY - y) * share)];
    });
  };
  const cells = Array.from({ length: CELLS * CELLS }, (_, at) => [at % CELLS, Math.floor(at / CELLS)] as const);
  return distances.flatMap((metres) => cells.flatMap(([column, row]) => {
    const [a, b, c, d] = crossings(column, row, metres);
    return [...(a && b ? [[a, b]] : []), ...(c && d ? [[c, d]] : [])];
  }));
}
