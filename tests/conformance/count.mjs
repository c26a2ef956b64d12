// Counts the points of a layer in the tiles of a tile matrix set, without buffers, and checks their positions against the
// collection, optionally with query parameters: count.mjs URL LAYER GRID [PARAMETERS]
import { VectorTile } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";

const [url, layer, grid, parameters = ""] = process.argv.slice(2);
const get = async (path) => (await fetch(url + path)).json();
const set = await get(`/ogc/collections/${layer}/tiles/${grid}`);
const scheme = await get(`/ogc/tileMatrixSets/${grid}`);
const limit = set.tileMatrixSetLimits[12];
const matrix = scheme.tileMatrices.find((own) => own.id === limit.tileMatrix);
const places = new Map();
for (const feature of (await get(`/ogc/collections/${layer}/items?limit=10000&${parameters}`)).features) places.set(feature.id, feature.geometry.coordinates);

const lonFirst = scheme.orderedAxes[0] !== "Lat";
const [x0, y0] = lonFirst ? matrix.pointOfOrigin : [...matrix.pointOfOrigin].reverse();
const side = matrix.cellSize * matrix.tileWidth;
const project = ([lon, lat]) => {
  if (grid !== "WebMercatorQuad") return [lon, lat];
  const radius = 6378137;
  return [(radius * lon * Math.PI) / 180, radius * Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360))];
};
const seen = new Set();
for (let row = limit.minTileRow; row <= limit.maxTileRow; row++) {
  for (let column = limit.minTileCol; column <= limit.maxTileCol; column++) {
    const reply = await fetch(`${url}/ogc/collections/${layer}/tiles/${grid}/${limit.tileMatrix}/${row}/${column}?${parameters}`);
    if (reply.status === 204) continue;
    const tile = new VectorTile(new PbfReader(new Uint8Array(await reply.arrayBuffer()))).layers[layer];
    for (let n = 0; n < tile.length; n++) {
      const feature = tile.feature(n);
      const [[{ x, y }]] = feature.loadGeometry();
      if (x < 0 || y < 0 || x > tile.extent || y > tile.extent) continue;
      if (seen.has(feature.properties.id)) throw new Error(`${feature.properties.id} stands twice`);
      seen.add(feature.properties.id);
      const [px, py] = project(places.get(feature.properties.id));
      const unit = side / tile.extent;
      const off = [x0 + column * side + x * unit - px, y0 - row * side - y * unit - py].map((metres) => Math.abs(metres) / unit);
      if (Math.max(...off) > 1) throw new Error(`${feature.properties.id} is off by ${off} units`);
    }
  }
}
console.log(seen.size);
