// Bounds, positions and nearest positions of geometries.
import type { Geometry, Position } from "geojson";

/** Longitude, latitude in degrees. */
export type LonLat = [number, number];

/** West, south, east, north of a geometry; undefined if it is empty. */
export function boundsOf(geometry: Geometry | null): [number, number, number, number] | undefined {
  const bounds: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of positionsOf(geometry)) {
    bounds[0] = Math.min(bounds[0], x);
    bounds[1] = Math.min(bounds[1], y);
    bounds[2] = Math.max(bounds[2], x);
    bounds[3] = Math.max(bounds[3], y);
  }
  return bounds[0] <= bounds[2] ? bounds : undefined;
}

/** The middle of an area's bounds, or the position on a line that is nearest to it; undefined if the geometry is empty. */
export function middleOf(geometry: Geometry): LonLat | undefined {
  const bounds = boundsOf(geometry);
  if (!bounds) return undefined;
  const middle: LonLat = [(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2];
  return geometry.type.includes("Polygon") ? middle : nearestPlace(geometry, middle);
}

export function positionsOf(geometry: Geometry | null): LonLat[] {
  return pathsOf(geometry).flat();
}

/**
 * The position on a geometry that is nearest to another position; undefined if the geometry is empty. Planar, with a
 * degree of longitude scaled by the latitude, which is accurate enough for drawing within a county.
 */
export function nearestPlace(geometry: Geometry | null, [lon, lat]: LonLat): LonLat | undefined {
  const shrink = Math.cos((lat * Math.PI) / 180);
  let best: LonLat | undefined;
  let least = Infinity;
  const consider = (place: LonLat) => {
    const off = ((place[0] - lon) * shrink) ** 2 + (place[1] - lat) ** 2;
    if (off < least) [best, least] = [place, off];
  };
  for (const path of pathsOf(geometry)) {
    path.forEach((end, at) => {
      consider(end);
      const start = path[at - 1];
      if (!start) return;
      const [dx, dy] = [(end[0] - start[0]) * shrink, end[1] - start[1]];
      const along = ((lon - start[0]) * shrink * dx + (lat - start[1]) * dy) / (dx * dx + dy * dy);
      if (along > 0 && along < 1) consider([start[0] + (end[0] - start[0]) * along, start[1] + dy * along]);
    });
  }
  return best;
}

/** Whether a position is inside an area; false for points and lines. */
export function contains(geometry: Geometry, [x, y]: LonLat): boolean {
  if (!geometry.type.includes("Polygon")) return false;
  // A ray to the east crosses the rings an odd number of times.
  const crosses = (ring: LonLat[]) => ring.filter(([x1, y1], at) => {
    const [x0, y0] = ring.at(at - 1)!;
    return y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0);
  }).length;
  return pathsOf(geometry).reduce((sum, ring) => sum + crosses(ring), 0) % 2 === 1;
}

/** Single points, lines, and the rings of areas. */
function pathsOf(geometry: Geometry | null): LonLat[][] {
  switch (geometry?.type) {
    case undefined:
      return [];
    case "Point":
      return [[geometry.coordinates as LonLat]];
    case "MultiPoint":
      return geometry.coordinates.map((position) => [position as LonLat]);
    case "LineString":
      return [geometry.coordinates as LonLat[]];
    case "MultiLineString":
    case "Polygon":
      return geometry.coordinates as LonLat[][];
    case "MultiPolygon":
      return geometry.coordinates.flat() as LonLat[][];
    case "GeometryCollection":
      return geometry.geometries.flatMap(pathsOf);
  }
}

/** Well-known text of a drawing with centimetres: shorter than GeoJSON, for an address. */
export function wkt(geometry: Geometry): string {
  const list = (positions: Position[]) => `(${positions.map(([lon, lat]) => `${lon!.toFixed(7)} ${lat!.toFixed(7)}`).join(",")})`;
  if (geometry.type === "LineString") return `LINESTRING${list(geometry.coordinates)}`;
  if (geometry.type === "Polygon") return `POLYGON(${geometry.coordinates.map(list).join(",")})`;
  throw new Error(`a drawing is a line or an area, not ${geometry.type}`);
}
