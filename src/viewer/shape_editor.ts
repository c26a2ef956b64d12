// Draws a new line or area on the map, and moves, adds and removes vertices of one. The library is loaded when it is used.
import type { Geometry, LineString, Polygon, Position } from "geojson";
import type { Map } from "maplibre-gl";
import type { GeoJSONStoreFeatures, TerraDraw } from "terra-draw";
import { partsOf } from "./typed_place";

const MODES = { line: "linestring", polygon: "polygon" } as const;
/** Decimal places of degrees: about a centimetre. */
const PRECISION = 7;

export class ShapeEditor {
  #draw: TerraDraw | undefined;
  #turn = 0;
  #isDrawing = false;

  /** @param onShape called with the parts after each change */
  constructor(private readonly map: Map, private readonly onShape: (parts: Position[][]) => void) {}

  get isDrawing(): boolean {
    return this.#isDrawing;
  }

  /** Shows parts with their vertices; without parts the next clicks draw one. */
  async show(kind: "line" | "polygon", parts: Position[][]): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    delete this.map.getContainer().dataset.editing;
    const [terra, { TerraDrawMapLibreGLAdapter }] = await Promise.all([import("terra-draw"), import("terra-draw-maplibre-gl-adapter")]);
    if (turn !== this.#turn) return;
    this.#stop();
    const vertices = { feature: { draggable: false, coordinates: { draggable: true, midpoints: true, deletable: true } } };
    const draw = new terra.TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map: this.map, coordinatePrecision: PRECISION }),
      modes: [
        new terra.TerraDrawLineStringMode(), new terra.TerraDrawPolygonMode(),
        new terra.TerraDrawSelectMode({ flags: { linestring: vertices, polygon: vertices }, keyEvents: null, allowManualDeselection: false }),
      ],
    });
    this.#draw = draw;
    draw.start();
    const mode = MODES[kind];
    const shapes = () => draw.getSnapshot().filter(({ geometry }) => geometry.type === (kind === "line" ? "LineString" : "Polygon"));
    const select = () => {
      draw.setMode("select");
      this.#isDrawing = false;
      for (const { id } of shapes().slice(0, 1)) if (id !== undefined) draw.selectFeature(id);
    };
    draw.addFeatures(parts.map((part) => featureOf(part, kind, mode)));
    this.#isDrawing = parts.length === 0;
    if (this.#isDrawing) draw.setMode(mode);
    else select();
    draw.on("finish", () => {
      if (this.#isDrawing) select();
      this.onShape(shapes().map(partOf));
    });
    // A vertex that is removed finishes nothing.
    draw.on("change", (_, type) => {
      if (this.#draw === draw && !this.#isDrawing && type === "delete") this.onShape(shapes().map(partOf));
    });
    this.map.getContainer().dataset.editing = mode;
  }

  end(): void {
    this.#turn += 1;
    this.#stop();
  }

  #stop(): void {
    const draw = this.#draw;
    this.#draw = undefined;
    draw?.stop();
    this.#isDrawing = false;
    delete this.map.getContainer().dataset.editing;
  }
}

function featureOf(part: Position[], kind: "line" | "polygon", mode: string): GeoJSONStoreFeatures {
  const rounded = part.map((position) => position.slice(0, 2).map((degrees) => Number(degrees.toFixed(PRECISION))));
  const geometry: LineString | Polygon = kind === "line"
    ? { type: "LineString", coordinates: rounded }
    : { type: "Polygon", coordinates: [[...rounded, rounded[0]!]] };
  return { type: "Feature", geometry, properties: { mode } };
}

function partOf({ geometry }: GeoJSONStoreFeatures): Position[] {
  return geometry.type === "Polygon" ? geometry.coordinates[0]!.slice(0, -1) : (geometry as LineString).coordinates;
}

/** Whether the outline of an area crosses itself. */
export async function crossesItself(geometry: Geometry): Promise<boolean> {
  if (!geometry.type.endsWith("Polygon")) return false;
  const { ValidateNotSelfIntersecting } = await import("terra-draw");
  return (partsOf(geometry) ?? []).some((ring) => !ValidateNotSelfIntersecting({
    type: "Feature", geometry: { type: "Polygon", coordinates: [[...ring, ring[0]!]] }, properties: { mode: "polygon" },
  }).valid);
}
