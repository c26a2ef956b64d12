// Starts the page: language, then data from the server, then the map and its panels.
import type { GeoJSONSource, Map, StyleSpecification } from "maplibre-gl";
import * as api from "./api";
import { Around } from "./around";
import { Arrivals } from "./arrivals";
import { AuditLog } from "./audit_log";
import { Audits } from "./audits";
import { ClusterCard } from "./clusters";
import { COMMITMENT_LAYER, Commitments, type Offer } from "./commitments";
import { part } from "./element";
import { isEmbedded, showNamedLayers, startEmbedding } from "./embed";
import { Events } from "./events";
import { Exchange } from "./exchange";
import { Freshness } from "./freshness";
import { withShiftedBaseMap } from "./gcj02";
import { Headlines } from "./headlines";
import { ImportPanel } from "./import_panel";
import { onLanguage, say, setTitle, startLanguage } from "./language";
import { LastEdit } from "./last_edit";
import { LayerPanel } from "./layers";
import { Legend } from "./legend";
import { clusterAt, createMap, featuresAt } from "./map";
import { startLocate } from "./locate";
import { NearestPanel } from "./nearest";
import { notice, noticeWith, settle } from "./notices";
import { startOffline } from "./offline";
import { Drawing } from "./drawing";
import { Editing } from "./editing";
import { MapImage } from "./map_image";
import { Card, type Found } from "./popup";
import { Panel } from "./panel";
import { PlanPanel } from "./plan";
import { Reach } from "./reach";
import { drawnPlace, pointAt, type Place } from "./question";
import type { Township } from "./question_form";
import { RoadClosure } from "./road_closure";
import { startScale } from "./screen_scale";
import { Search } from "./search";
import { SessionPanel } from "./session";
import { startSheet } from "./sheet";
import { Situation, SITUATION_LAYERS, type SituationLayer } from "./situation";
import { SituationPanel } from "./situation_panel";
import { drawSituation, spellSymbols } from "./style";
import { onTheme, recolour, startTheme, styleName } from "./theme";
import { Ticker } from "./ticker";
import { Tiles } from "./tiles";
import { Tour } from "./tour";
import { ViewList } from "./view_list";
import { isWall, startWall } from "./wall";

declare global {
  interface Window {
    /** For tests and the console: the map, and a promise of its first complete drawing. */
    onemap?: { map: Map; ready: Promise<void> };
  }
}

const RETRY_AFTER_MS = 5_000;

startLanguage(part<HTMLButtonElement>("language"));
startTheme(part<HTMLButtonElement>("theme"));
startWall();
startScale();
startEmbedding();
startDrawer();
startSheet();
const session = new SessionPanel(part<HTMLButtonElement>("session"));
/** The style of the theme. */
const mapStyle = async () => withShiftedBaseMap(await api.style(styleName()));
void start();

async function start(): Promise<void> {
  const loaded = await load();
  if (!loaded) {
    setTimeout(() => void start(), RETRY_AFTER_MS);
    return;
  }
  const { catalog, style, complete, townships, situation } = loaded;
  setTitle(catalog.county.title);
  let map: Map;
  try {
    map = createMap(style, catalog.county.bounds);
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
    const mapImage = new MapImage(map, style, catalog, part<HTMLButtonElement>("save-image"));
    mapImage.version = catalog.data_version;
    const layers = new LayerPanel(map, style, catalog, part("layer-groups"));
    new Legend(style, catalog, layers, part("legend"));
    const unknown = showNamedLayers(layers, catalog);
    if (unknown.length > 0) noticeWith("layers", "unknownLayers", [{ word: "understood", act: () => settle("layers") }], () => unknown.join(say("listComma")));
    const card = new Card(map, catalog);
    const clusters = new ClusterCard(map, catalog, (found, place) => card.open([found], place));
    const panel = new Panel(map, part("nearest"));
    const nearest = new NearestPanel(map, style, catalog, townshipsOf(townships), panel);
    const plan = new PlanPanel(map, style, panel);
    const imports = new ImportPanel(map, catalog, panel, (layer) => session.writes(layer));
    const exchange = new Exchange(map, catalog, imports, part("exchange"));
    const reach = new Reach(map);
    card.onReach = (found) => void reach.toggle(found);
    const commitments = new Commitments(catalog, situation, session);
    const lastEdit = new LastEdit(part("stage"));
    const editing = new Editing(map, catalog, panel, session, lastEdit, part<HTMLButtonElement>("create"));
    editing.onOpen = () => {
      card.close();
      reach.clear();
    };
    editing.onStored = (found, at) => card.open([found], at);
    const closure = new RoadClosure(catalog, lastEdit, (layer) => editing.mayWrite(layer), () => card.close());
    card.actionsOf = (found, layer, at) => closure.actionsOf(found, layer, at);
    const mayCommit = () => {
      exchange.draw();
      editing.known();
      const ask = (offers: Offer[], incident?: string) => commitments.ask(offers, incident);
      plan.onCommit = nearest.onCommit = commitments.isPossible ? ask : undefined;
      void nearest.changed("shelters");
      void commitments.load();
    };
    session.onKnown = mayCommit;
    mayCommit();
    card.mayEdit = (layer) => editing.mayWrite(layer);
    card.onEdit = (found) => void editing.edit(found);
    card.onDelete = (found) => void editing.remove(found);
    card.onPlan = (found) => {
      card.close();
      reach.clear();
      void plan.open(found);
    };
    const around = new Around(map, catalog, panel);
    const audits = new Audits(map, catalog, townshipsOf(townships), part("audits"), panel);
    card.onAround = ({ layer, id, name }) => void around.ofFeature(layer, id, name);
    const leave = () => {
      card.close();
      reach.clear();
    };
    const auditLog = new AuditLog(catalog, panel);
    session.onAudit = () => void auditLog.open();
    imports.onOpen = around.onOpen = audits.onOpen = auditLog.onOpen = leave;
    nearest.onChange = () => reach.clear();
    nearest.onChoose = (found, at) => card.open([found], at, () => part("nearest").querySelector<HTMLElement>(`li [data-id="${CSS.escape(found.id)}"]`)?.focus());
    card.onAsk = (found) => {
      card.close();
      void nearest.ask(placeOf(found));
    };
    new Search(map, catalog, card, part("search")).onPosition = (lon, lat) => void nearest.ask(pointAt(lon, lat));
    const list = new ViewList(map, catalog, panel, card, (layer) => layers.isVisible(layer));
    for (const opener of ["list-view", "skip-to-list"]) {
      part(opener).addEventListener("click", (event) => {
        event.preventDefault();
        void list.open();
      });
    }
    layers.onChange(() => void list.changed());
    const headlines = new Headlines(catalog);
    const ticker = startSituation(map, catalog, card, situation, headlines);
    let events: Events | undefined;
    const freshness = new Freshness(catalog, (news, moved) => {
      layers.update(news);
      mapImage.version = news.data_version;
      // While the event stream is connected, events refresh the changed tiles.
      if (tiles.areMissing || (moved && !events?.isConnected)) tiles.refresh();
      if (moved && !events?.isConnected) {
        situation.loadSoon();
        headlines.changed();
        void nearest.refresh();
      }
    });
    events = listen({ tiles, freshness, nearest, card, audits, catalog, situation, headlines, commitments, list, ticker });
    const drawing = new Drawing(map, part<HTMLButtonElement>("draw"));
    drawing.onAsk = (shape) => void nearest.ask(drawnPlace(shape, say("drawnShape")));
    drawing.onCount = (shape) => void around.ofDrawing(shape);
    startClicks(map, card, clusters, nearest, drawing, editing);
    void nearest.askAddress();
    if (!isEmbedded) void ready.then(startOffline);
    onLanguage(() => spellSymbols(map, style));
    onTheme(() => void mapStyle().then((own) => recolour(map, complete(own)), console.warn));
  });
  await ready;
  part("loading").hidden = true;
  document.documentElement.dataset.ready = "true";
}

type Parts = {
  tiles: Tiles; freshness: Freshness; nearest: NearestPanel; card: Card; audits: Audits; catalog: api.Catalog; situation: Situation; headlines: Headlines;
  commitments: Commitments; list: ViewList; ticker: Ticker | undefined;
};

/** Updates the page after changes on the server: tiles, results, lists and cards. */
function listen({ tiles, freshness, nearest, card, audits, catalog, situation, headlines, commitments, list, ticker }: Parts): Events {
  const isSituation = (layer: string) => (SITUATION_LAYERS as readonly string[]).includes(layer);
  const reset = () => {
    tiles.refresh();
    situation.loadSoon();
    headlines.changed();
    ticker?.changed();
    void commitments.load();
    void nearest.refresh();
    for (const { id } of catalog.layers) card.changed(id, undefined);
    void list.changed();
    void audits.changed();
    freshness.lookSoon();
  };
  return new Events({
    change({ layer, ids, boxes }) {
      if (isSituation(layer)) situation.loadSoon();
      else tiles.touch(boxes);
      headlines.changed(layer);
      ticker?.changed(layer);
      if (layer === COMMITMENT_LAYER) void commitments.load();
      void nearest.changed(layer);
      card.changed(layer, ids);
      void list.changed();
      void audits.changed();
      freshness.lookSoon();
    },
    reset,
    freshness: (news) => freshness.hear(news),
    // Between the loading of the page and the beginning of the stream, changes were told to nobody.
    begun: ({ data_version }) => {
      if (data_version !== freshness.version) reset();
    },
    connection: (up) => freshness.live(up),
  });
}

/** Starts the situation panel, its announcements, and its layers on the map; on a wall the tour and the ticker. */
function startSituation(map: Map, catalog: api.Catalog, card: Card, situation: Situation, headlines: Headlines): Ticker | undefined {
  const panel = new SituationPanel(map, catalog, card, situation, (people) => headlines.people(people));
  situation.onFailure = (failed) => panel.failed(failed);
  new Arrivals(catalog, panel, situation);
  situation.onChange(() => {
    for (const layer of situation.layers) void map.getSource<GeoJSONSource>(layer)?.setData(situation.drawn(layer));
  });
  if (!isWall) return undefined;
  new Tour(map, catalog.county.bounds, panel, situation);
  return new Ticker(map, catalog, panel, situation);
}

function placeOf({ layer, id, name }: Found): Place {
  return { kind: "feature", layer, id, name };
}

function townshipsOf(townships: Awaited<ReturnType<typeof api.townships>> | undefined): Township[] {
  return (townships?.features ?? []).flatMap(({ properties: { code, name } }) =>
    typeof code === "string" && typeof name === "string" ? [{ code, name }] : []);
}

/** Loads everything for the first view; undefined, with a notice, if that fails. */
async function load() {
  const townships = api.townships().catch(() => undefined);
  try {
    const [catalog, style] = await Promise.all([api.catalog(), mapStyle()]);
    settle("start");
    const own = SITUATION_LAYERS.filter((layer) => catalog.layers.some(({ id }) => id === layer));
    const situation = new Situation(own, catalog);
    const [named] = await Promise.all([townships, situation.load()]);
    const drawn = Object.fromEntries(own.map((layer: SituationLayer) => [layer, situation.drawn(layer)]));
    // This page draws its text from fonts of the machine, which needs no download.
    const complete = ({ glyphs: _, ...own }: StyleSpecification) => drawSituation(own, drawn);
    return { catalog, style: complete(style), complete, townships: named, situation };
  } catch (error) {
    const why = error instanceof Error ? ` (${error.message})` : "";
    notice("start", "unreachableAtStart", () => why, () => location.reload());
    part("loading").hidden = true;
    return undefined;
  }
}

/** The field `source` of every sample record marks it as a sample. */
function isSample(townships: Awaited<ReturnType<typeof api.townships>> | undefined): boolean {
  return /示例|样例|模拟|sample/i.test(String(townships?.features[0]?.properties.source ?? ""));
}

/** A click queries the nearest resources and opens the card of the clicked feature or cluster. */
function startClicks(map: Map, card: Card, clusters: ClusterCard, nearest: NearestPanel, drawing: Drawing, editing: Editing): void {
  const isTaken = () => drawing.isActive || editing.isPlacing;
  const ask = (at: { x: number; y: number }, place: { lng: number; lat: number }, open: boolean) => {
    const { marked, township } = featuresAt(map, at);
    const lngLat = map.unproject([at.x, at.y]);
    const cluster = open ? clusterAt(map, at) : undefined;
    if (cluster) clusters.open(cluster, lngLat);
    else if (open) clusters.close();
    if (open) card.open(cluster ? [] : marked, lngLat);
    // A form would leave the panel to the answer.
    if (editing.isOpen) return;
    void nearest.ask(
      pointAt(place.lng, place.lat),
      township && { name: township.name, open: () => card.open([township], lngLat) },
    );
  };
  const askCentre = () => {
    const centre = map.getCenter();
    ask(map.project(centre), centre, false);
  };
  map.on("click", (event) => {
    if (!isTaken()) ask(event.point, event.lngLat, true);
  });
  map.on("mousemove", (event) => {
    if (isTaken()) return;
    map.getCanvas().style.cursor = clusterAt(map, event.point) || featuresAt(map, event.point).marked.length > 0 ? "pointer" : "crosshair";
  });
  part("ask-centre").addEventListener("click", askCentre);
  startLocate(map, (lon, lat) => void nearest.ask(pointAt(lon, lat)));
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !isTaken() && !editing.isOpen) askCentre();
  });
}

/** The collapsible layer panel; it starts open on wide screens. */
function startDrawer(): void {
  const button = part("layers-toggle");
  const set = (open: boolean) => {
    document.body.classList.toggle("layers-open", open);
    button.setAttribute("aria-expanded", String(open));
  };
  set(window.innerWidth >= 1_700 && !isWall);
  button.addEventListener("click", () => {
    set(!document.body.classList.contains("layers-open"));
    window.onemap?.map.resize();
  });
}
