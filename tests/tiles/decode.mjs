// Reads vector tiles with the reference decoder: decode.mjs BASE_URL LAYERS MINZ MAXZ W S E N
// [QUERY]; one line of JSON per tile.
import { VectorTile } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";

const AT_ONCE = 8;
/** The geometry type of polygons. */
const AREA = 3;
const MAX_LATITUDE = 85.0511287798066;

const [base, layers, ...rest] = process.argv.slice(2);
const numbers = rest.slice(0, 6);
const [query = ""] = rest.slice(6);
const [minZoom, maxZoom, west, south, east, north] = numbers.map(Number);
if (!base || !layers || numbers.length !== 6 || rest.length > 7 || numbers.some((text) => !Number.isFinite(Number(text)))) {
  console.error("usage: node tests/tiles/decode.mjs BASE_URL LAYERS MINZ MAXZ W S E N [QUERY]");
  process.exit(2);
}

const addresses = tilesOf();
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let next = addresses.next(); !next.done; next = addresses.next()) await print(await read(next.value));
}));

/** Addresses of all tiles that intersect the box. */
function* tilesOf() {
  for (let z = minZoom; z <= maxZoom; z += 1) {
    const last = 2 ** z - 1;
    const clamp = (index) => Math.min(last, Math.max(0, index));
    for (let x = clamp(column(west, z)); x <= clamp(column(east, z)); x += 1) {
      for (let y = clamp(row(north, z)); y <= clamp(row(south, z)); y += 1) yield { z, x, y };
    }
  }
}

function column(lon, z) {
  return Math.floor(((lon + 180) / 360) * 2 ** z);
}

function row(lat, z) {
  const radians = (Math.min(MAX_LATITUDE, Math.max(-MAX_LATITUDE, lat)) * Math.PI) / 180;
  return Math.floor(((1 - Math.asinh(Math.tan(radians)) / Math.PI) / 2) * 2 ** z);
}

async function read({ z, x, y }) {
  const response = await fetch(`${base.replace(/\/$/, "")}/tiles/${layers}/${z}/${x}/${y}${query}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const tile = { z, x, y, status: response.status, bytes: bytes.length, layers: {} };
  const omitted = response.headers.get("x-onemap-omitted");
  if (omitted) tile.omitted = omitted;
  if (response.status !== 200) return tile;
  for (const [id, layer] of Object.entries(new VectorTile(new PbfReader(bytes)).layers)) {
    tile.layers[id] = Array.from({ length: layer.length }, (_, at) => {
      const feature = layer.feature(at);
      const { geometry } = feature.toGeoJSON(x, y, z);
      // Integers as in the tile, so that rings close exactly.
      const rings = feature.type === AREA ? feature.loadGeometry().map((ring) => ring.map((at) => [at.x, at.y])) : undefined;
      return { id: feature.id, type: feature.type, properties: feature.properties, geometry, rings };
    });
  }
  return tile;
}

/** Waits for a slow reader instead of buffering lines. */
function print(tile) {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(tile)}\n`, resolve));
}
