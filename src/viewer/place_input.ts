// The place of a feature in a form: put or drawn on the map, moved by dragging, or typed.
import type { Geometry, Position } from "geojson";
import { Marker, type Map, type MapMouseEvent } from "maplibre-gl";
import type { Layer } from "./api";
import { element } from "./element";
import { isSame } from "./field_input";
import { boundsOf } from "./geometry";
import { say } from "./language";
import { crossesItself, ShapeEditor } from "./shape_editor";
import { geometryOf, kindOfGeometry, NoPlace, partsIn, partsOf, textOf, type Kind } from "./typed_place";
import type { Word } from "./words";

const KINDS: Record<Kind, Word> = { point: "kindPoint", line: "kindLine", polygon: "kindArea" };
const HINTS: Record<Kind, Word> = { point: "placePointHint", line: "placeLineHint", polygon: "placeAreaHint" };
const CLOSE_UP_ZOOM = 14;

export class PlaceInput {
  readonly element = element("fieldset", { class: "place-input", "data-field": "geometry" });
  /** Called when the place is another one. */
  onChange: () => void = () => undefined;
  readonly #note = element("p", { class: "failed", id: "edit-place-note", role: "alert" });
  readonly #marker = new Marker({ element: element("div", { class: "asked placing", "aria-hidden": "true" }), anchor: "bottom", draggable: true });
  readonly #shape: ShapeEditor;
  #kind: Kind;
  #geometry: Geometry | null;
  #fault: string | undefined;
  #isMoving = false;

  /** @param stored what the map has now; null for a new feature */
  constructor(private readonly map: Map, private readonly layer: Layer, private stored: Geometry | null, initial: Geometry | null) {
    this.#geometry = initial;
    this.#kind = initial ? kindOfGeometry(initial) : layer.geometry === "any" ? "point" : layer.geometry;
    this.#shape = new ShapeEditor(map, (parts) => this.#set(this.#made(parts)));
    this.#marker.on("drag", () => this.#fill(true));
    this.#marker.on("dragend", () => this.#set(pointOf(this.#marker.getLngLat().wrap().toArray())));
    map.on("click", this.#put);
    this.draw();
    if (initial) this.#show(initial);
    if (!stored) this.#move(true);
  }

  /** Whether clicks on the map belong to the place. */
  get isMoving(): boolean {
    return this.#isMoving;
  }

  /** Whether a line or area is begun and not finished. */
  get isDrawing(): boolean {
    return this.#shape.isDrawing;
  }

  get geometry(): Geometry | null {
    return this.#geometry;
  }

  get hasChanged(): boolean {
    return !isSame(this.#geometry, this.stored);
  }

  /** Takes the map back from the form. */
  end(): void {
    this.map.off("click", this.#put);
    this.#marker.remove();
    this.#shape.end();
  }

  /** Another place is stored now; one that the officer chose stays. */
  renew(stored: Geometry | null): void {
    const keeps = this.hasChanged;
    this.stored = stored;
    if (!keeps) this.write(stored);
  }

  /** Puts the feature somewhere. */
  write(geometry: Geometry | null): void {
    if (geometry) this.#kind = kindOfGeometry(geometry);
    this.#set(geometry);
    this.#showOnMap();
  }

  reset(): void {
    this.write(this.stored);
  }

  async fault(): Promise<string | undefined> {
    if (this.#fault !== undefined) return this.#fault;
    if (!this.#geometry) return this.stored ? undefined : say("placeRequired");
    return this.hasChanged && (await crossesItself(this.#geometry)) ? say("crossesItself") : undefined;
  }

  complain(text: string, ...more: HTMLElement[]): void {
    this.#note.replaceChildren(text, ...more);
  }

  focus(): void {
    this.element.scrollIntoView({ block: "nearest" });
    this.element.querySelector<HTMLElement>("textarea, .coordinates, button")?.focus();
  }

  /** In the language of the page. */
  draw(): void {
    const parts = partsOf(this.#geometry);
    if (!parts) {
      this.element.replaceChildren(element("legend", {}, say("place")), element("p", { class: "quiet" }, say("placeNotHere")), this.#note);
      return;
    }
    this.element.replaceChildren(
      element("legend", {}, say("place"), element("span", { class: "must", "aria-hidden": "true" }, this.stored ? "" : " *")),
      ...(this.layer.geometry === "any" && !this.stored ? [this.#kinds()] : []),
      element("p", { class: "quiet hint", id: "edit-place-hint" }, say(this.#hint())),
      this.#typed(),
      element("p", { class: "tools" }, ...this.#tools()),
      this.#note);
    this.#fill();
  }

  #hint(): Word {
    if (!this.#isMoving) return "placeMoveHint";
    return this.#kind !== "point" && this.#geometry ? "placeReshapeHint" : HINTS[this.#kind];
  }

  #kinds(): HTMLElement {
    const chips = (Object.keys(KINDS) as Kind[]).map((kind) => {
      const radio = element("input", { type: "radio", name: "place-kind", value: kind, checked: kind === this.#kind });
      radio.addEventListener("change", () => {
        this.#kind = kind;
        this.#set(null);
        this.#move(true);
      });
      return element("label", { class: "chip" }, radio, element("span", {}, say(KINDS[kind])));
    });
    return element("div", { class: "chips", role: "radiogroup", "aria-label": say("place") }, ...chips);
  }

  /** Longitudes and latitudes, for keyboards and for coordinates from elsewhere. */
  #typed(): HTMLElement {
    const attributes = {
      class: "coordinates", id: "edit-place", "aria-label": say("placeInput2"), "aria-describedby": "edit-place-hint edit-place-note", spellcheck: "false", autocomplete: "off",
    };
    const input = this.#kind === "point"
      ? element("input", { ...attributes, type: "text", placeholder: "118.863,26.221" })
      : element("textarea", { ...attributes, rows: 4, placeholder: "118.863,26.221\n118.865,26.223" });
    input.addEventListener("change", () => this.#read(input.value));
    return input;
  }

  #tools(): HTMLElement[] {
    const button = (word: Word, act: () => void, pressed?: boolean) => {
      const made = element("button", { type: "button", class: "link", "aria-pressed": pressed === undefined ? undefined : String(pressed) }, say(word));
      made.addEventListener("click", act);
      return made;
    };
    return [
      button(this.#isMoving ? "placeMoveEnd" : this.#kind === "point" ? "placeMove" : "placeReshape", () => this.#move(!this.#isMoving)),
      ...(this.hasChanged && this.stored ? [button("placeReset", () => this.reset())] : []),
      ...(this.#kind !== "point" && this.#geometry && this.#isMoving ? [button("placeAgain", () => {
        this.#set(null);
        this.#showOnMap();
      })] : []),
    ];
  }

  #read(text: string): void {
    try {
      const parts = partsIn(text, this.#kind);
      this.#set(this.#made(parts));
      if (this.#geometry) this.#show(this.#geometry);
      this.#showOnMap();
    } catch (error) {
      if (!(error instanceof NoPlace)) throw error;
      this.#fault = error.line === undefined ? say("tooFewPlaces") : say("notAPlace").replace("%", String(error.line));
      this.complain(this.#fault);
    }
  }

  #made(parts: Position[][]): Geometry | null {
    return geometryOf(parts, this.#kind, this.stored?.type.startsWith("Multi") ?? false);
  }

  #set(geometry: Geometry | null): void {
    this.#fault = undefined;
    this.complain("");
    this.#geometry = geometry;
    this.draw();
    this.onChange();
    if (geometry?.type.endsWith("Polygon")) {
      void crossesItself(geometry).then((crosses) => {
        if (crosses && this.#geometry === geometry) this.complain(say("crossesItself"));
      });
    }
  }

  /** Writes the coordinates into the input. */
  #fill(isDragging = false): void {
    const input = this.element.querySelector<HTMLInputElement | HTMLTextAreaElement>(".coordinates");
    const parts = isDragging ? [[this.#marker.getLngLat().wrap().toArray()]] : partsOf(this.#geometry);
    if (input && parts) input.value = textOf(parts);
  }

  #move(on: boolean): void {
    this.#isMoving = on;
    this.map.getCanvas().style.cursor = on ? "crosshair" : "";
    this.draw();
    this.#showOnMap();
  }

  #showOnMap(): void {
    this.#marker.remove();
    if (this.#kind === "point") {
      this.#shape.end();
      if (this.#geometry?.type !== "Point" || !(this.#isMoving || this.hasChanged)) return;
      this.#marker.setLngLat(this.#geometry.coordinates as [number, number]).setDraggable(this.#isMoving).addTo(this.map);
    } else if (this.#isMoving) {
      void this.#shape.show(this.#kind, partsOf(this.#geometry) ?? []);
    } else this.#shape.end();
  }

  /** A click puts a point there. */
  readonly #put = ({ lngLat }: MapMouseEvent): void => {
    if (!this.#isMoving || this.#kind !== "point") return;
    this.#set(pointOf(lngLat.wrap().toArray()));
    this.#showOnMap();
  };

  /** Moves the map if the place is outside. */
  #show(geometry: Geometry): void {
    const bounds = boundsOf(geometry);
    if (!bounds) return;
    const [west, south, east, north] = bounds;
    const view = this.map.getBounds();
    if (view.contains([west, south]) && view.contains([east, north])) return;
    this.map.fitBounds([[west, south], [east, north]], { padding: 60, maxZoom: Math.max(CLOSE_UP_ZOOM, this.map.getZoom()) });
  }
}

function pointOf([lon, lat]: Position): Geometry {
  return { type: "Point", coordinates: [Number(lon!.toFixed(6)), Number(lat!.toFixed(6))] };
}
