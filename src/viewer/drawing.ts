// Drawing on the map: distances and areas on the ellipsoid, questions about a drawn line or area, coordinates to copy. The
// library for drawing is loaded when it is first used.
import type { Map, MapMouseEvent } from "maplibre-gl";
import type { Geometry, LineString, Polygon, Position } from "geojson";
import type { TerraDraw } from "terra-draw";
import { coordinatesOf } from "./api";
import { element, part } from "./element";
import { area, distance } from "./format";
import { onLanguage, say } from "./language";
import { crossesItself } from "./shape_editor";
import type { Word } from "./words";

type Mode = "linestring" | "polygon" | "circle" | "coordinates";
const MODES: { mode: Mode; word: Word }[] = [
  { mode: "linestring", word: "drawLine" },
  { mode: "polygon", word: "drawArea" },
  { mode: "circle", word: "drawCircle" },
  { mode: "coordinates", word: "readCoordinates" },
];
export class Drawing {
  #mode: Mode | undefined;
  #draw: TerraDraw | undefined;
  /** What the bar says about the shape or position. */
  #said: (() => HTMLElement[]) | undefined;

  /** Queries the nearest resources to a drawn shape. */
  onAsk: ((shape: Geometry) => void) | undefined;
  /** Shows what is inside a drawn area, or along a drawn line. */
  onCount: ((shape: Geometry) => void) | undefined;

  constructor(private readonly map: Map, button: HTMLButtonElement) {
    button.addEventListener("click", () => (part("drawing").hidden ? this.open() : this.close()));
    map.on("click", (event) => void this.#read(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !part("drawing").hidden) this.close();
    });
    onLanguage(() => this.#fill());
  }

  /** Whether a click on the map belongs to the drawing. */
  get isActive(): boolean {
    return this.#mode !== undefined;
  }

  open(): void {
    part("drawing").hidden = false;
    void this.#choose("linestring");
  }

  close(): void {
    this.#draw?.stop();
    this.#draw = undefined;
    this.#mode = undefined;
    this.#said = undefined;
    part("drawing").hidden = true;
    this.map.getCanvas().style.cursor = "";
  }

  async #choose(mode: Mode): Promise<void> {
    this.#mode = mode;
    this.#said = undefined;
    delete part("drawing").dataset.ready;
    this.#fill();
    this.map.getCanvas().style.cursor = "crosshair";
    const [{ TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawCircleMode }, { TerraDrawMapLibreGLAdapter }] =
      await Promise.all([import("terra-draw"), import("terra-draw-maplibre-gl-adapter")]);
    // Another mode, or none, was chosen meanwhile.
    if (this.#mode !== mode) return;
    this.#draw ??= this.#start(new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map: this.map }),
      modes: [new TerraDrawLineStringMode(), new TerraDrawPolygonMode(), new TerraDrawCircleMode()],
    }));
    this.#draw.clear();
    this.#draw.setMode(mode === "coordinates" ? "static" : mode);
    part("drawing").dataset.ready = "true";
  }

  #start(draw: TerraDraw): TerraDraw {
    draw.start();
    draw.on("finish", (id) => {
      const shape = draw.getSnapshotFeature(id)?.geometry as Polygon | LineString | undefined;
      for (const other of draw.getSnapshot()) if (other.id !== id && other.id !== undefined) draw.removeFeatures([other.id]);
      if (shape) void this.#measure(shape);
    });
    return draw;
  }

  async #measure(shape: Polygon | LineString): Promise<void> {
    if (await crossesItself(shape)) {
      this.#said = () => [element("p", { class: "failed", role: "alert" }, say("crossesRedraw"))];
      this.#fill();
      return;
    }
    const measured = shape.type === "LineString" ? await lengthOf(shape.coordinates) : await areaOf(shape.coordinates[0]!);
    const words = () => (shape.type === "LineString"
      ? `${say("length")} ${distance(measured.length)}`
      : `${say("surface")} ${area(measured.surface)} · ${say("perimeter")} ${distance(measured.length)}`);
    this.#said = () => [element("output", {}, words()), ...this.#questions(shape)];
    this.#fill();
  }

  #questions(shape: Polygon | LineString): HTMLElement[] {
    const ask = element("button", { type: "button" }, say("askShape"));
    ask.addEventListener("click", () => this.onAsk?.(shape));
    const count = element("button", { type: "button" }, say(shape.type === "LineString" ? "countAlong" : "countShape"));
    count.addEventListener("click", () => this.onCount?.(shape));
    return [ask, count];
  }

  /** The position under a click in the systems of the county. */
  async #read({ lngLat }: MapMouseEvent): Promise<void> {
    if (this.#mode !== "coordinates") return;
    const at = lngLat.wrap();
    let read: [string, string][];
    try {
      const systems = await coordinatesOf(at.lng, at.lat);
      read = systems.map(({ title, unit, coordinates }) => [title, coordinates.map((value) => value.toFixed(unit === "m" ? 3 : 6)).join(", ")]);
    } catch (error) {
      read = [[say("askFailed"), error instanceof Error ? error.message : String(error)]];
    }
    if (this.#mode !== "coordinates") return;
    this.#said = () => [element("dl", {}, ...read.flatMap(([title, text]) => [element("dt", {}, title), element("dd", {}, text, copyButton(text))]))];
    this.#fill();
  }

  #fill(): void {
    const box = part("drawing");
    if (box.hidden) return;
    const modes = MODES.map(({ mode, word }) => {
      const button = element("button", { type: "button", "aria-pressed": String(mode === this.#mode), "data-mode": mode }, say(word));
      button.addEventListener("click", () => void this.#choose(mode));
      return button;
    });
    const close = element("button", { type: "button", class: "close", "aria-label": say("close") }, "×");
    close.addEventListener("click", () => this.close());
    const hint = this.#mode === "coordinates" ? "coordinatesHint" : this.#mode === "circle" ? "circleHint" : "drawHint";
    box.replaceChildren(
      element("div", { role: "group", "aria-label": say("drawAndMeasure") }, ...modes, close),
      ...(this.#said?.() ?? [element("p", { class: "quiet" }, say(hint))]));
  }
}

/** Length of a line on the WGS 84 ellipsoid, metres (Karney). */
async function lengthOf(positions: Position[]): Promise<{ length: number; surface: number }> {
  const { WGS84 } = (await import("geographiclib-geodesic")).default.Geodesic;
  const parts = positions.slice(1).map(([lon, lat], at) => WGS84.Inverse(positions[at]![1]!, positions[at]![0]!, lat!, lon!).s12 ?? 0);
  return { length: parts.reduce((sum, own) => sum + own, 0), surface: 0 };
}

/** Perimeter and area of a ring on the WGS 84 ellipsoid, metres and square metres (Karney). */
async function areaOf(ring: Position[]): Promise<{ length: number; surface: number }> {
  const { WGS84 } = (await import("geographiclib-geodesic")).default.Geodesic;
  const polygon = WGS84.Polygon(false);
  for (const [lon, lat] of ring.slice(0, -1)) polygon.AddPoint(lat!, lon!);
  const { perimeter, area: surface } = polygon.Compute(false, true);
  return { length: perimeter, surface: Math.abs(surface ?? 0) };
}

function copyButton(text: string): HTMLButtonElement {
  const button = element("button", { type: "button", class: "copy" }, say("copy"));
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text).then(() => (button.textContent = say("copied")), () => (button.textContent = say("copyFailed")));
  });
  return button;
}
