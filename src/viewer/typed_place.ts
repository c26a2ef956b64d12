// Positions as text: longitude,latitude in each line, and an empty line between the parts of a line or area.
import type { Geometry, Position } from "geojson";

export type Kind = "point" | "line" | "polygon";

/** Shapes with more vertices are not edited in the browser. */
const MOST_VERTICES = 2_000;

/** Why a text is no place: the number of the line, or undefined if there are too few positions. */
export class NoPlace extends Error {
  constructor(readonly line: number | undefined) {
    super("the text is not a place");
  }
}

export function kindOfGeometry(geometry: Geometry): Kind {
  return geometry.type.endsWith("Point") ? "point" : geometry.type.endsWith("LineString") ? "line" : "polygon";
}

/** The parts of a geometry; undefined if it is not edited here: holes, several points, collections, very many vertices. */
export function partsOf(geometry: Geometry | null): Position[][] | undefined {
  const parts = simpleParts(geometry);
  return parts && parts.flat().length <= MOST_VERTICES ? parts : undefined;
}

function simpleParts(geometry: Geometry | null): Position[][] | undefined {
  switch (geometry?.type) {
    case undefined:
      return [];
    case "Point":
      return [[geometry.coordinates]];
    case "LineString":
      return [geometry.coordinates];
    case "MultiLineString":
      return geometry.coordinates;
    case "Polygon":
      return geometry.coordinates.length === 1 ? [geometry.coordinates[0]!.slice(0, -1)] : undefined;
    case "MultiPolygon":
      return geometry.coordinates.every((rings) => rings.length === 1) ? geometry.coordinates.map(([ring]) => ring!.slice(0, -1)) : undefined;
    case "MultiPoint":
    case "GeometryCollection":
      return undefined;
  }
}

/** The geometry of the parts; one of a multi-part kind stays so. */
export function geometryOf(parts: Position[][], kind: Kind, isMulti: boolean): Geometry | null {
  const [first] = parts;
  if (!first) return null;
  const closed = (ring: Position[]) => [...ring, ring[0]!];
  if (kind === "point") return { type: "Point", coordinates: first[0]! };
  if (kind === "line") return parts.length > 1 || isMulti ? { type: "MultiLineString", coordinates: parts } : { type: "LineString", coordinates: first };
  return parts.length > 1 || isMulti
    ? { type: "MultiPolygon", coordinates: parts.map((ring) => [closed(ring)]) }
    : { type: "Polygon", coordinates: [closed(first)] };
}

export function textOf(parts: Position[][]): string {
  const degrees = (value: number) => String(Number(value.toFixed(7)));
  return parts.map((part) => part.map(([lon, lat]) => `${degrees(lon!)},${degrees(lat!)}`).join("\n")).join("\n\n");
}

/**
 * The parts that a text describes.
 * @throws NoPlace
 */
export function partsIn(text: string, kind: Kind): Position[][] {
  const parts: Position[][] = [[]];
  for (const [at, line] of text.trim().split(/\r?\n/).entries()) {
    if (line.trim() === "") {
      if (parts.at(-1)!.length > 0) parts.push([]);
      continue;
    }
    const numbers = line.trim().split(/[\s,，;；]+/).map(Number);
    const [lon, lat] = numbers;
    if (numbers.length !== 2 || !(Math.abs(lon!) <= 180) || !(Math.abs(lat!) <= 90)) throw new NoPlace(at + 1);
    parts.at(-1)!.push([lon!, lat!]);
  }
  const filled = parts.filter((part) => part.length > 0).map((part) => kind === "polygon" ? opened(part) : part);
  const least = { point: 1, line: 2, polygon: 3 }[kind];
  if (filled.some((part) => part.length < least) || (kind === "point" && filled.flat().length > 1)) throw new NoPlace(undefined);
  return filled;
}

/** A ring may be given with its first position repeated. */
function opened(ring: Position[]): Position[] {
  const [first, last] = [ring[0]!, ring.at(-1)!];
  return ring.length > 3 && first[0] === last[0] && first[1] === last[1] ? ring.slice(0, -1) : ring;
}
