// Creates the map: worker, fonts, limits and tools, and finds the features under a click.
import { AttributionControl, LngLatBounds, Map, ScaleControl, setWorkerUrl, type LngLatBoundsLike, type MapGeoJSONFeature, type PointLike, type StyleSpecification } from "maplibre-gl";
import { clusterOf, type Cluster } from "./clusters";
import { part } from "./element";
import { isEmbedded, viewInAddress } from "./embed";
import { coordinates } from "./format";
import { onLanguage, say } from "./language";
import { noticeWith, settle } from "./notices";
import { OVER } from "./situation";
import { BASE_MAP, metadata } from "./style";
import type { Found } from "./popup";
import { screenScale } from "./screen_scale";

export const LOCAL_FONTS = '"Noto Sans CJK SC","Noto Sans SC","Source Han Sans SC","Microsoft YaHei","PingFang SC",sans-serif';
/** Touch needs a larger tolerance than a mouse pointer. */
const REACH_PX = matchMedia("(pointer: coarse)").matches ? 12 : 5;
/** Background layers: a click on them alone counts as a click on the empty map. */
const GROUNDS = new Set(["county", "townships"]);
const KINDS = ["circle", "symbol", "line", "fill"];

/** @param bounds the initial view, unless the URL has another */
export function createMap(style: StyleSpecification, bounds: LngLatBoundsLike): Map {
  setWorkerUrl(new URL("maplibre-gl-worker.mjs", import.meta.url).href);
  const map = new Map({
    container: "map",
    style,
    ...(viewInAddress() ?? { bounds, fitBoundsOptions: { padding: edges() } }),
    hash: "map",
    minZoom: 3,
    maxZoom: 18,
    maxPitch: 0,
    dragRotate: false,
    pitchWithRotate: false,
    attributionControl: false,
    // Tiles outside the view are not cached, because they may change in the meantime.
    maxTileCacheSize: 0,
    localIdeographFontFamily: LOCAL_FONTS,
    pixelRatio: pixelRatio(),
    fadeDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200,
  });
  window.addEventListener("resize", () => map.setPixelRatio(pixelRatio()));
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new ScaleControl({ unit: "metric", maxWidth: 140 }), "bottom-right");
  // The owner of a base map wants to be named.
  if (Object.values(style.sources).some((source) => "attribution" in source && source.attribution)) {
    map.addControl(new AttributionControl({ compact: false }), "bottom-right");
  }
  onLanguage(() => map.getCanvas().setAttribute("aria-label", say("map")));
  startTools(map, bounds);
  if (!isEmbedded) warnOutside(map, LngLatBounds.convert(bounds));
  startCoordinates(map);
  return map;
}

/** Pixels of the screen for a pixel of the map, which a large screen enlarges. */
function pixelRatio(): number {
  return window.devicePixelRatio * screenScale();
}

/** The distinct features under a pixel: points before lines before areas, ended ones last, topmost first. */
export function featuresAt(map: Map, at: { x: number; y: number }): { marked: Found[]; township: Found | undefined } {
  const box: [PointLike, PointLike] = [[at.x - REACH_PX, at.y - REACH_PX], [at.x + REACH_PX, at.y + REACH_PX]];
  const hits = [...map.queryRenderedFeatures([at.x, at.y]), ...map.queryRenderedFeatures(box).filter((hit) => hit.layer.type !== "fill")];
  const ranked = hits
    .filter((hit) => ![undefined, BASE_MAP].includes(metadata(hit.layer)["onemap:layer"]) && typeof hit.properties.id === "string")
    .toSorted((a, b) => KINDS.indexOf(a.layer.type) - KINDS.indexOf(b.layer.type) || Number(isOver(a)) - Number(isOver(b)));
  const seen = new Set<string>();
  const marked: Found[] = [];
  let township: Found | undefined;
  for (const hit of ranked) {
    const layer = metadata(hit.layer)["onemap:layer"]!;
    const found = { layer, id: String(hit.properties.id), name: String(hit.properties.name ?? "") };
    if (seen.has(`${layer}/${found.id}`)) continue;
    seen.add(`${layer}/${found.id}`);
    if (!GROUNDS.has(layer)) marked.push(found);
    else if (layer === "townships" && hit.layer.type === "fill") township ??= found;
  }
  return { marked, township };
}

/** The cluster under a pixel, unless a single feature lies above it. */
export function clusterAt(map: Map, at: { x: number; y: number }): Cluster | undefined {
  const hit = map.queryRenderedFeatures([at.x, at.y]).find(({ layer }) => KINDS.indexOf(layer.type) < KINDS.indexOf("line"));
  const layer = hit && metadata(hit.layer)["onemap:layer"];
  return layer === undefined ? undefined : clusterOf(layer, hit!);
}

/** Ended or expired features come last. */
function isOver({ properties }: MapGeoJSONFeature): boolean {
  return properties[OVER] === true;
}

function startTools(map: Map, bounds: LngLatBoundsLike): void {
  part("zoom-in").addEventListener("click", () => map.zoomIn());
  part("zoom-out").addEventListener("click", () => map.zoomOut());
  part("fit-county").addEventListener("click", () => map.fitBounds(bounds, { padding: edges() }));
}

/** Tells that the view of the URL has nothing of the county, until the map is moved there. */
function warnOutside(map: Map, county: LngLatBounds): void {
  const isOutside = () => {
    const view = map.getBounds();
    return view.getWest() > county.getEast() || view.getEast() < county.getWest() || view.getSouth() > county.getNorth() || view.getNorth() < county.getSouth();
  };
  if (!isOutside()) return;
  noticeWith("outside", "outsideCounty", [{ word: "fitCounty", act: () => part("fit-county").click() }]);
  const settled = () => {
    if (isOutside()) return;
    settle("outside");
    map.off("moveend", settled);
  };
  map.on("moveend", settled);
}

/** Coordinates of the pointer, or of the map centre if the pointer is elsewhere. */
function startCoordinates(map: Map): void {
  let pointer: { lng: number; lat: number } | undefined;
  const output = part<HTMLOutputElement>("coordinates");
  const draw = () => {
    const { lng, lat } = pointer ?? map.getCenter();
    output.textContent = coordinates(lng, lat);
  };
  map.on("mousemove", (event) => {
    pointer = event.lngLat;
    draw();
  });
  map.on("mouseout", () => {
    pointer = undefined;
    draw();
  });
  map.on("move", draw);
  onLanguage(draw);
}

function edges(): number {
  return Math.min(40, Math.round(window.innerWidth / 20));
}
