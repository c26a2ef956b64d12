// Compares the two formats of tiles: formats.mjs BASE_URL LAYERS Z X Y; one line of JSON: the number of features, the
// sizes in bytes, and the first feature that differs.
import { register } from "node:module";
import { gzipSync } from "node:zlib";
import { VectorTile } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";

// The package is made for bundlers: its imports have no file name extensions.
const resolve = `export const resolve = (name, context, next) =>
  next(name.startsWith(".") && !name.endsWith(".js") ? name + ".js" : name, context);`;
register(`data:text/javascript,${encodeURIComponent(resolve)}`);
const { decodeTile } = await import("@maplibre/mlt");

/** The geometry type of points. */
const POINT = 1;

const [base, layers, ...addresses] = process.argv.slice(2);
if (!base || !layers || !addresses.length) {
  console.error("usage: node tests/tiles/formats.mjs BASE_URL LAYERS Z/X/Y...");
  process.exit(2);
}
for (const address of addresses) console.log(JSON.stringify(await compare(address)));

async function compare(address) {
  const [mvt, mlt] = await Promise.all(["mvt", "mlt"].map((format) => read(address, format)));
  const [own, other] = [featuresOfMvt(mvt.bytes), featuresOfMlt(mlt.bytes)];
  const longest = Math.max(own.length, other.length);
  const at = Array.from({ length: longest }, (_, at) => at).find((at) => JSON.stringify(own[at]) !== JSON.stringify(other[at]));
  return {
    address,
    features: own.length,
    types: [mvt.type, mlt.type],
    gzip: [mvt.bytes, mlt.bytes].map((bytes) => gzipSync(bytes).length),
    difference: at === undefined ? null : [own[at] ?? null, other[at] ?? null],
  };
}

async function read(address, format) {
  const response = await fetch(`${base}/tiles/${layers}/${address}?f=${format}`);
  return { bytes: new Uint8Array(await response.arrayBuffer()), type: response.headers.get("content-type") };
}

/** Layer, id, type, properties in order of their names, and positions of the features. */
function described(layer, id, type, properties, paths) {
  const closed = paths.map((path) => path.map((at) => [at.x, at.y]));
  // Each format groups the positions of a point in its own way.
  const positions = type === POINT ? closed.flat() : closed;
  const known = Object.entries(properties).filter(([, value]) => value !== undefined && value !== null);
  const plain = known.map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]);
  return { layer, id: Number(id), type, properties: Object.fromEntries(plain.sort(([a], [b]) => (a < b ? -1 : 1))), positions };
}

function featuresOfMvt(bytes) {
  const tile = new VectorTile(new PbfReader(bytes));
  return Object.entries(tile.layers).flatMap(([name, layer]) =>
    Array.from({ length: layer.length }, (_, at) => {
      const feature = layer.feature(at);
      return described(name, feature.id, feature.type, feature.properties, feature.loadGeometry());
    }));
}

function featuresOfMlt(bytes) {
  if (!bytes.length) return [];
  return decodeTile(bytes).flatMap((table) =>
    table.getFeatures().map(({ id, geometry, properties }) =>
      // Point, line, polygon, then the same for several of them.
      described(table.name, id, (geometry.type % 3) + 1, properties, geometry.coordinates)));
}
