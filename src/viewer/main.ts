// Starts the page: language first, then what the server holds, then the map and its panels.
import type { Map } from "maplibre-gl";
import * as api from "./api";
import { Audits } from "./audits";
import { ClusterCard } from "./clusters";
import { part } from "./element";
import { Events } from "./events";
import { Freshness } from "./freshness";
import { onLanguage, setTitle, startLanguage } from "./language";
import { LayerPanel } from "./layers";
import { Legend } from "./legend";
import { clusterAt, createMap, featuresAt } from "./map";
import { NearestPanel } from "./nearest";
import { notice, settle } from "./notices";
import { Card } from "./popup";
import { Search } from "./search";
import { nameTownshipsAtSeats, spellSymbols } from "./style";
import { Tiles } from "./tiles";

declare global {
  interface Window {
    /** For tests and the console: the map, and when it is drawn for the first time. */
    onemap?: { map: Map; ready: Promise<void> };
  }
}

const RETRY_AFTER_MS = 5_000;

startLanguage(part<HTMLButtonElement>("language"));
startDrawer();
void start();

async function start(): Promise<void> {
  const loaded = await load();
  if (!loaded) {
    setTimeout(() => void start(), RETRY_AFTER_MS);
    return;
  }
  const { catalog, style, townships } = loaded;
  setTitle(catalog.county.title);
  let map: Map;
  try {
    map = createMap(style, catalog.bounds ?? catalog.county.bounds);
  } catch (error) {
    part("loading").hidden = true;
    notice("graphics", "noGraphics", () => ` (${error instanceof Error ? error.message : String(error)})`);
    return;
  }
  part("sample-badge").hidden = !isSample(townships);
  const ready = new Promise<void>((resolve) => void map.once("idle", () => resolve()));
  window.onemap = { map, ready };
  const tiles = new Tiles(map);
  map.once("load", () => {
    const layers = new LayerPanel(map, style, catalog, part("layer-groups"));
    new Legend(style, catalog, layers, part("legend"));
    const card = new Card(map, catalog);
    const clusters = new ClusterCard(map, catalog, (found, place) => card.open([found], place));
    const nearest = new NearestPanel(map, style, catalog, part("nearest"));
    new Search(map, catalog, card, part("search"));
    const audits = new Audits(map, catalog, part("audits"));
    let events: Events | undefined;
    const freshness = new Freshness(catalog, (news, moved) => {
      layers.update(news);
      // What moved is told by the events, tile by tile, while they are heard.
      if (tiles.areMissing || (moved && !events?.areHeard)) tiles.refresh();
    });
    events = listen(tiles, freshness, nearest, card, audits, catalog);
    startClicks(map, card, clusters, nearest);
    onLanguage(() => spellSymbols(map, style));
  });
  await ready;
  part("loading").hidden = true;
  document.documentElement.dataset.ready = "true";
}

/** Brings what changes on the server onto the page: the tiles that show it, the answers and the card that rest on it. */
function listen(
  tiles: Tiles, freshness: Freshness, nearest: NearestPanel, card: Card, audits: Audits, catalog: api.Catalog,
): Events {
  return new Events({
    change({ layer, ids, boxes }) {
      tiles.touch(boxes);
      void nearest.changed(layer);
      card.changed(layer, ids);
      void audits.changed();
      freshness.lookSoon();
    },
    reset() {
      tiles.refresh();
      for (const { id } of catalog.layers) {
        void nearest.changed(id);
        card.changed(id, undefined);
      }
      void audits.changed();
      freshness.lookSoon();
    },
    freshness: (news) => freshness.hear(news),
    connection: (up) => freshness.live(up),
  });
}

/** Everything the first picture needs, or nothing and a notice why. */
async function load() {
  const townships = api.townships().catch(() => undefined);
  try {
    const [catalog, style] = await Promise.all([api.catalog(), api.style()]);
    settle("start");
    const named = await townships;
    return { catalog, style: named ? nameTownshipsAtSeats(style, named) : style, townships: named };
  } catch (error) {
    const why = error instanceof Error ? ` (${error.message})` : "";
    notice("start", "unreachableAtStart", () => why, () => location.reload());
    part("loading").hidden = true;
    return undefined;
  }
}

/** Every row of the sample says so in its source. */
function isSample(townships: Awaited<ReturnType<typeof api.townships>> | undefined): boolean {
  return /示例|样例|模拟|sample/i.test(String(townships?.features[0]?.properties.source ?? ""));
}

/** A click asks what is nearest there, and opens the card of the feature or the cluster that was hit. */
function startClicks(map: Map, card: Card, clusters: ClusterCard, nearest: NearestPanel): void {
  const ask = (at: { x: number; y: number }, place: { lng: number; lat: number }, open: boolean) => {
    const { marked, township } = featuresAt(map, at);
    const lngLat = map.unproject([at.x, at.y]);
    const cluster = open ? clusterAt(map, at) : undefined;
    if (cluster) clusters.open(cluster, lngLat);
    else if (open) clusters.close();
    if (open) card.open(cluster ? [] : marked, lngLat);
    void nearest.ask(
      { lon: place.lng, lat: place.lat },
      township && { name: township.name, open: () => card.open([township], lngLat) },
    );
  };
  const askCentre = () => {
    const centre = map.getCenter();
    ask(map.project(centre), centre, false);
  };
  map.on("click", (event) => ask(event.point, event.lngLat, true));
  map.on("mousemove", (event) => {
    map.getCanvas().style.cursor = clusterAt(map, event.point) || featuresAt(map, event.point).marked.length > 0 ? "pointer" : "crosshair";
  });
  part("ask-centre").addEventListener("click", askCentre);
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key === "Enter") askCentre();
  });
  part("nearest").addEventListener("keydown", (event) => {
    if (event.key === "Escape") nearest.close();
  });
}

/** The layer panel slides away; on a narrow screen it starts so. */
function startDrawer(): void {
  const button = part("layers-toggle");
  const set = (open: boolean) => {
    document.body.classList.toggle("layers-open", open);
    button.setAttribute("aria-expanded", String(open));
  };
  set(window.innerWidth > 760);
  button.addEventListener("click", () => {
    set(!document.body.classList.contains("layers-open"));
    window.onemap?.map.resize();
  });
}
