// Watches the tiles: says when some did not come, asks for them again, and fetches all anew when the data moved on.
import type { Map as MapLibreMap, VectorTileSource } from "maplibre-gl";
import { notice, settle } from "./notices";

const SOURCE = "onemap";

type TileAddress = { x: number; y: number; z: number };
/** The map library hands out the tile with its events, but its types do not say so. */
type TileEvent = { sourceId?: string; tile?: { tileID: { key: string; canonical: TileAddress } } };

export class Tiles {
  readonly #missing = new Map<string, TileAddress>();

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
    });
  }

  get areMissing(): boolean {
    return this.#missing.size > 0;
  }

  /**
   * Reads the TileJSON again, which names the present data version, and with it every tile. Tiles that failed are asked
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
