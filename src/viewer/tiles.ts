// Watches the tiles: says when some did not come, asks for them again, and fetches anew those that show what changed.
import type { Map as MapLibreMap, VectorTileSource } from "maplibre-gl";
import type { Box } from "./events";
import { notice, settle } from "./notices";
import { tilesOf, type TileAddress } from "./touched";

const SOURCE = "onemap";

/** Zoom beyond which the server's tiles are enlarged. */
const MAX_ZOOM = 16;
/** More tiles than this are not asked for by name. */
const MANY_TILES = 2_000;
/** More boxes than this are not kept while tiles are on their way. */
const MANY_BOXES = 500;

/** The map library hands out the tile with its events, but its types do not say so. */
type TileEvent = { sourceId?: string; tile?: { tileID: { key: string; canonical: TileAddress } } };

export class Tiles {
  readonly #missing = new Map<string, TileAddress>();
  /** What changed while tiles were on their way: they may show it as it was. */
  #doubtful: Box[] = [];

  constructor(private readonly map: MapLibreMap) {
    map.on("error", (event) => {
      console.warn(event.error.message);
      const { tile } = event as TileEvent;
      if (tile) this.#missing.set(tile.tileID.key, tile.tileID.canonical);
      notice("tiles", "tilesFailed", () => "", () => this.refresh());
    });
    map.on("sourcedata", (event) => {
      const { sourceId, tile } = event as TileEvent;
      if (sourceId === SOURCE && tile) this.#missing.delete(tile.tileID.key);
    });
    map.on("idle", () => {
      if (this.#missing.size === 0) settle("tiles");
      const doubtful = this.#doubtful;
      this.#doubtful = [];
      if (doubtful.length > 0) this.touch(doubtful);
    });
  }

  get areMissing(): boolean {
    return this.#missing.size > 0;
  }

  /** Asks again for the tiles in sight that show something of these boxes; the browser sends the tags it knows. */
  touch(boxes: Box[]): void {
    const source = this.map.getSource<VectorTileSource>(SOURCE);
    const extent = source?.tileBounds?.bounds;
    // Outside of what the TileJSON told no tile is asked for, so it is read again.
    if (extent && boxes.some(([west, south, east, north]) => !extent.contains([west, south]) || !extent.contains([east, north]))) {
      return this.refresh();
    }
    if (!this.map.areTilesLoaded()) {
      this.#doubtful = [...this.#doubtful, ...boxes];
      if (this.#doubtful.length > MANY_BOXES) this.#doubtful = [around(this.#doubtful)];
    }
    const tiles = boxes.flatMap((box) => this.#inSight(box));
    if (tiles.length > MANY_TILES) this.map.refreshTiles(SOURCE);
    else if (tiles.length > 0) this.map.refreshTiles(SOURCE, tiles);
  }

  /** The tiles that show a box, of every zoom that may be on the screen, as far as they are near the map's frame. */
  #inSight(box: Box): TileAddress[] {
    const frame = this.map.getBounds();
    const [width, height] = [frame.getEast() - frame.getWest(), frame.getNorth() - frame.getSouth()];
    const part: Box = [
      Math.max(box[0], frame.getWest() - width), Math.max(box[1], frame.getSouth() - height),
      Math.min(box[2], frame.getEast() + width), Math.min(box[3], frame.getNorth() + height),
    ];
    if (part[0] > part[2] || part[1] > part[3]) return [];
    const deepest = Math.min(MAX_ZOOM, Math.ceil(this.map.getZoom()) + 1);
    return Array.from({ length: deepest + 1 }, (_, z) => tilesOf(part, z)).flat();
  }

  /**
   * Reads the TileJSON again, whose bounds may have grown, and every tile. Tiles that failed are asked
   * for one by one before: the library would wait for ever for a failed tile that is reloaded with its source.
   */
  refresh(): void {
    const missing = [...this.#missing.values()];
    this.#missing.clear();
    if (missing.length > 0) this.map.refreshTiles(SOURCE, missing);
    const source = this.map.getSource<VectorTileSource>(SOURCE);
    if (source?.url) source.setUrl(source.url);
  }
}

function around(boxes: Box[]): Box {
  return boxes.reduce((a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]);
}
