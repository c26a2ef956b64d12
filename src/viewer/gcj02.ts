// GCJ-02, the datum of commercial Chinese maps: positions, and base maps in it, whose tiles are shifted to WGS 84.
import { addProtocol, type StyleSpecification } from "maplibre-gl";
import { column, row } from "./web_mercator";

/** Where a style has such a base map: other programs, which would draw it hundreds of metres off, ignore it. */
const METADATA = "onemap:gcj02_base_map";
const PROTOCOL = "gcj02";
type BaseMap = Pick<StyleSpecification, "sources" | "layers"> & { grounds: string[] };

/** Tile templates by the number in the URL of the protocol. */
const templates: string[] = [];

/** The published formula, on the Krasovsky 1940 ellipsoid; unshifted outside of China. */
function toGcj02([lon, lat]: readonly [number, number]): [number, number] {
  if (lon < 72.004 || lon > 137.8347 || lat < 0.8293 || lat > 55.8271) return [lon, lat];
  const [semiMajor, eccentricity2] = [6_378_245, 0.006693421622965943];
  const [x, y] = [lon - 105, lat - 35];
  const wave = (amplitude: number, argument: number) => amplitude * Math.sin(argument * Math.PI);
  const ripple = ((wave(20, 6 * x) + wave(20, 2 * x)) * 2) / 3;
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + ripple
    + ((wave(20, y) + wave(40, y / 3)) * 2) / 3 + ((wave(160, y / 12) + wave(320, y / 30)) * 2) / 3;
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + ripple
    + ((wave(20, x) + wave(40, x / 3)) * 2) / 3 + ((wave(150, x / 12) + wave(300, x / 30)) * 2) / 3;
  const phi = (lat * Math.PI) / 180;
  const w2 = 1 - eccentricity2 * Math.sin(phi) ** 2;
  const meridian = (semiMajor * (1 - eccentricity2)) / (w2 * Math.sqrt(w2));
  const parallel = (semiMajor / Math.sqrt(w2)) * Math.cos(phi);
  return [lon + (east / parallel) * (180 / Math.PI), lat + (north / meridian) * (180 / Math.PI)];
}

/** The style with its base map in GCJ-02, if it has one, drawn by shifted tiles. */
export function withShiftedBaseMap(style: StyleSpecification): StyleSpecification {
  const base = (style.metadata as Record<string, BaseMap> | undefined)?.[METADATA];
  if (!base) return style;
  if (templates.length === 0) addProtocol(PROTOCOL, ({ url }, { signal }) => shiftedTile(url, signal).then((data) => ({ data })));
  const sources = Object.entries(base.sources).map(([id, source]) => {
    const [template] = "tiles" in source ? (source.tiles ?? []) : [];
    if (template === undefined) return [id, source] as const;
    const known = templates.indexOf(template);
    const number = known >= 0 ? known : templates.push(template) - 1;
    return [id, { ...source, tiles: [`${PROTOCOL}://${number}/{z}/{x}/{y}`] }] as const;
  });
  const at = style.layers.findIndex(({ type }) => type !== "background");
  const layers = style.layers.map((layer) => {
    const own = (layer.metadata as Record<string, string> | undefined)?.["onemap:layer"];
    return layer.type === "fill" && own !== undefined && base.grounds.includes(own) ? { ...layer, paint: { ...layer.paint, "fill-opacity": 0 } } : layer;
  });
  return { ...style, sources: { ...Object.fromEntries(sources), ...style.sources }, layers: layers.toSpliced(at, 0, ...base.layers) };
}

/**
 * A tile in WGS 84, put together of up to four in GCJ-02. The shift is that of its middle: within a tile it changes by less
 * than half a pixel at every zoom.
 */
async function shiftedTile(url: string, signal: AbortSignal): Promise<ImageBitmap> {
  const [number, z, x, y] = url.slice(`${PROTOCOL}://`.length).split("/").map(Number) as [number, number, number, number];
  const side = 2 ** z;
  const [lon, lat] = toGcj02(middleOf(x, y, side));
  const [left, top] = [column(lon) * side - 0.5, row(lat) * side - 0.5];
  const parts = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([east, south]) => [Math.floor(left) + east!, Math.floor(top) + south!] as const);
  const images = await Promise.all(parts.map(async ([x, y]) => {
    const template = templates[number]!;
    const reply = await fetch(template.replaceAll("{z}", String(z)).replaceAll("{x}", String((x + side) % side)).replaceAll("{y}", String(y)), { signal });
    return reply.ok ? createImageBitmap(await reply.blob()) : undefined;
  }));
  const size = images.find((image) => image)?.width;
  if (size === undefined) throw new Error("the base map has no tile here");
  const canvas = new OffscreenCanvas(size, size);
  const out = canvas.getContext("2d")!;
  images.forEach((image, at) => {
    const [x, y] = parts[at]!;
    if (image) out.drawImage(image, Math.round((x - left) * size), Math.round((y - top) * size), size, size);
  });
  return canvas.transferToImageBitmap();
}

/** Longitude and latitude of the middle of a tile. */
function middleOf(x: number, y: number, side: number): [number, number] {
  const lat = Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + 0.5)) / side)));
  return [((x + 0.5) / side) * 360 - 180, (lat * 180) / Math.PI];
}
