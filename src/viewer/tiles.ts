// Monitors tiles: reports failed ones, requests them again, and reloads tiles with changes.
import type { Map as MapLibreMap, VectorTileSource } from "maplibre-gl";
import type { Box } from "./events";
import { notice, settle } from "./notices";
import { BASE_MAP } from "./style";
import { tilesOf, type TileAddress } from "./web_mercator";

const SOURCE = "onemap";
/** The risk surface, whose tiles change with the same features; it has none beyond a zoom. */
const RISK = { source: "risk_grid", maxZoom: 10 };

/** Maximum zoom of the server's tiles; the map enlarges them beyond it. */
const MAX_ZOOM = 16;
/** Maximum number of tiles that are requested individually. */
const MANY_TILES = 2_000;
/** Maximum number of boxes kept while tiles are loading. */
const MANY_BOXES = 500;

/** Events of the map library contain the tile, but their types do not declare it. */
type TileEvent = { sourceId?: string; tile?: { tileID: { key: string; canonical: TileAddress } } };

export class Tiles {
  readonly #missing = new Map<string, TileAddress>();
  /** Changes while tiles were loading; the loaded tiles may show the previous state. */
  #doubtful: Box[] = [];

  constructor(private readonly map: MapLibreMap) {
    map.on("error", (event) => {
      console.warn(event.error.message);
      const { tile, sourceId } = event as TileEvent;
      if (sourceId?.startsWith(BASE_MAP)) return notice("base-map", "baseMapFailed");
      if (tile) this.#missing.set(tile.tileID.key, tile.tileID.canonical);
      notice("tiles", "tilesFailed", () => "", () => this.refresh());
    });
    map.on("sourcedata", (event) => {
      const { sourceId, tile } = event as TileEvent;
      if (sourceId === SOURCE && tile) this.#missing.delete(tile.tileID.key);
      if (sourceId?.startsWith(BASE_MAP) && tile) settle("base-map");
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

  /** Requests the visible tiles that intersect these boxes again; the browser sends known entity tags. */
  touch(boxes: Box[]): void {
    const source = this.map.getSource<VectorTileSource>(SOURCE);
    const extent = source?.tileBounds?.bounds;
    // The map requests no tiles outside the bounds in the TileJSON, so it is loaded again.
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
    const coarse = tiles.filter(({ z }) => z <= RISK.maxZoom);
    if (coarse.length > 0 && this.map.getSource(RISK.source)) this.map.refreshTiles(RISK.source, coarse);
  }

  /** The tiles that show a box, at every zoom that may be visible, near the current view. */
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
   * Loads the TileJSON, whose bounds may have grown, and every tile again. Failed tiles are requested
   * individually first, because the library never completes a failed tile that is reloaded with its source.
   */
  refresh(): void {
    const missing = [...this.#missing.values()];
    this.#missing.clear();
    if (missing.length > 0) this.map.refreshTiles(SOURCE, missing);
    for (const id of [SOURCE, RISK.source]) {
      const source = this.map.getSource<VectorTileSource>(id);
      if (source?.url) source.setUrl(source.url);
    }
  }
}

function around(boxes: Box[]): Box {
  return boxes.reduce((a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]);
}
