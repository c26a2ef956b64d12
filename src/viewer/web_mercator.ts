// Web Mercator tiles: positions in the square of the world, and the tiles that show a box, including their buffer.

export type TileAddress = { x: number; y: number; z: number };

/** Buffer of a tile, as a fraction of its side. */
const MARGIN = 64 / 4096;
const MAX_LATITUDE = 85.0511;

/** The tiles of one zoom that intersect a box (west, south, east, north in degrees). */
export function tilesOf([west, south, east, north]: readonly [number, number, number, number], z: number): TileAddress[] {
  const side = 2 ** z;
  const [left, right] = [column(west) * side, column(east) * side];
  const [top, bottom] = [row(north) * side, row(south) * side];
  const tiles: TileAddress[] = [];
  for (let y = inside(top - MARGIN, side); y <= inside(bottom + MARGIN, side); y += 1) {
    for (let x = inside(left - MARGIN, side); x <= inside(right + MARGIN, side); x += 1) tiles.push({ x, y, z });
  }
  return tiles;
}

/** Distance from the western edge of the world, as a fraction of its side. */
export function column(longitude: number): number {
  return longitude / 360 + 0.5;
}

/** Distance from the northern edge of the world, as a fraction of its side. */
export function row(latitude: number): number {
  const phi = (Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, latitude)) * Math.PI) / 180;
  return 0.5 - Math.asinh(Math.tan(phi)) / (2 * Math.PI);
}

function inside(at: number, side: number): number {
  return Math.max(0, Math.min(side - 1, Math.floor(at)));
}
