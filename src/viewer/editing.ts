// Creating, changing and deleting features in the panel, for those who may.
import { LngLat, type Map } from "maplibre-gl";
import { create, edit, itemToEdit, remove, reveal, ServerError, type Catalog, type Item, type Layer, type Properties } from "./api";
import { COMMITMENT_LAYER } from "./commitments";
import { confirmed } from "./confirmation";
import { dropDraft, keptDraft, type Draft } from "./draft";
import { element } from "./element";
import { FeatureForm, type Stored } from "./feature_form";
import { boundsOf } from "./geometry";
import { onLanguage, pick, say } from "./language";
import type { LastEdit } from "./last_edit";
import { noticeWith, settle } from "./notices";
import type { Panel } from "./panel";
import type { Found } from "./popup";
import type { SessionPanel } from "./session";

const NOTICE = "draft";
const TIMEOUT_MS = 10_000;

/** Values of a new event: it begins now and is not over. */
function begun({ roles: { active_area: active, time } }: Layer): Properties {
  if (!active) return {};
  return { [active.field]: active.codes[0], ...(time ? { [time.start]: new Date().toISOString() } : {}) };
}

export class Editing {
  /** Called with a feature after it was stored. */
  onStored: (found: Found, at: LngLat) => void = () => undefined;
  /** Called before a form opens. */
  onOpen: () => void = () => undefined;
  #form: FeatureForm | undefined;
  /** The layer of the last new feature. */
  #lastLayer: string | undefined;
  #title: () => string = () => "";

  /** @param button opens the form of a new feature */
  constructor(
    private readonly map: Map, private readonly catalog: Catalog, private readonly panel: Panel, private readonly session: SessionPanel,
    private readonly lastEdit: LastEdit, private readonly button: HTMLButtonElement,
  ) {
    button.addEventListener("click", () => this.#choose(this.#usual()));
    document.addEventListener("keydown", (event) => this.#key(event));
    onLanguage(() => this.#redraw());
  }

  /** Whether a form is open, so that a click on the map asks nothing. */
  get isOpen(): boolean {
    return this.#form !== undefined;
  }

  /** Whether clicks on the map belong to the form. */
  get isPlacing(): boolean {
    return this.#form?.place.isMoving ?? false;
  }

  /** Layers whose features this browser may write. */
  layers(): Layer[] {
    return this.catalog.layers.filter(({ id }) => this.session.writes(id) && id !== COMMITMENT_LAYER).toReversed();
  }

  mayWrite(layer: string): boolean {
    return this.layers().some(({ id }) => id === layer);
  }

  /** The session is known: what was typed before the page was loaded again is offered. */
  known(): void {
    this.button.hidden = this.layers().length === 0;
    const draft = keptDraft(this.session.account);
    if (!this.isOpen && draft && this.mayWrite(draft.layer)) this.#resume(draft, "draftRestored");
  }

  /** The layer of a new feature until another is chosen: the last one, or that of events. */
  #usual(): Layer | undefined {
    const layers = this.layers();
    return layers.find(({ id }) => id === this.#lastLayer) ?? layers.find(({ roles }) => roles.active_area) ?? layers[0];
  }

  /** The form of a new feature. */
  #choose(layer: Layer | undefined): void {
    if (!layer) return;
    this.#lastLayer = layer.id;
    this.#open({ account: this.session.account, layer: layer.id, tag: "", stored: {}, storedGeometry: null, values: begun(layer), geometry: null });
  }

  /** The form of a stored feature. */
  async edit({ layer, id }: Found): Promise<void> {
    try {
      const { item, tag } = await itemToEdit(layer, id, AbortSignal.timeout(TIMEOUT_MS));
      this.#open({
        account: this.session.account, layer, id, tag, stored: item.properties, storedGeometry: item.geometry, values: {}, geometry: item.geometry,
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Deletes a feature after a confirmation. */
  async remove({ layer: layerId, id, name }: Found): Promise<void> {
    const layer = this.#layer(layerId);
    if (!layer || !(await confirmed(`${say("delete")} ${name || id}`, say(layer.withheld && layer.contacts.length === 0 ? "deleteLosesContacts" : "deleteHint"), "delete"))) return;
    try {
      const { item, tag } = await itemToEdit(layerId, id, AbortSignal.timeout(TIMEOUT_MS));
      // Names and phones are in no reply, so they are read for the undo, which the server records.
      const contacts = layer.contacts.length > 0 ? await reveal(layerId, id, say("deleteReason")) : {};
      await remove(layerId, id, tag);
      this.onOpen();
      this.lastEdit.offer("deleted", name || id, () => this.#restore(layer, item, contacts));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #restore(layer: Layer, { id, geometry, properties }: Item, contacts: Record<string, unknown>): Promise<void> {
    const known = new Set([...layer.fields, ...layer.contacts].map(({ name }) => name));
    const values = Object.entries({ ...properties, ...contacts }).filter(([name]) => known.has(name));
    await create(layer.id, { id, geometry, properties: Object.fromEntries(values) });
    this.#announce({ layer: layer.id, id, name: String(properties.name ?? id) }, geometry);
  }

  /** Draws the form in another language; contacts are in no draft, so a form with typed ones stays. */
  #redraw(): void {
    if (!this.#form) return;
    if (this.#form.hasTypedContacts) this.#form.place.draw();
    else this.#open(this.#form.draft, false);
  }

  #open(draft: Draft, takesFocus = true): void {
    const layer = this.#layer(draft.layer);
    if (!layer) return;
    settle(NOTICE);
    this.onOpen();
    this.#form?.end();
    this.#form = undefined;
    const form = new FeatureForm(this.map, layer, this.catalog.codes, draft, (stored) => this.#done(stored));
    this.#form = form;
    this.panel.open(this.#leave);
    this.#title = () => (draft.id === undefined ? `${say("newFeature")}` : `${say("edit")} · ${String(draft.stored.name ?? draft.id)}`);
    this.panel.draw(this.#title(), draft.id === undefined ? this.#layerChoice(layer) : element("p", { class: "quiet" }, pick(layer.title)), form.element);
    if (takesFocus) form.focus();
  }

  /** The layer of a new feature. */
  #layerChoice(layer: Layer): HTMLElement {
    const select = element("select", { id: "edit-layer" }, ...this.layers().map(({ id, title }) => element("option", { value: id, selected: id === layer.id }, pick(title))));
    select.addEventListener("change", () => {
      dropDraft();
      this.#choose(this.#layer(select.value));
      document.getElementById("edit-layer")?.focus();
    });
    return element("div", { class: "edit layer-choice" }, element("div", { class: "input" }, element("label", { for: "edit-layer" }, say("exportLayer")), select));
  }

  /** The panel is closed, or shows something else; what was typed is kept and can be continued. */
  readonly #leave = (): void => {
    const form = this.#form;
    this.#form = undefined;
    form?.end();
    this.map.getCanvas().style.cursor = "";
    const draft = keptDraft(this.session.account);
    if (draft) this.#resume(draft, "draftKept");
  };

  #resume(draft: Draft, word: "draftKept" | "draftRestored"): void {
    if (word === "draftRestored") this.#open(draft);
    noticeWith(NOTICE, word, [
      ...(word === "draftKept" ? [{ word: "resume", act: () => this.#open(draft) } as const] : []),
      { word: word === "draftKept" ? "discard" : "understood", act: () => {
        if (word === "draftKept") dropDraft();
        settle(NOTICE);
      } },
    ], () => ((this.#layer(draft.layer)?.contacts.length ?? 0) > 0 ? say("contactsNotKept") : ""));
  }

  #done(stored: Stored | undefined): void {
    settle(NOTICE);
    this.panel.close();
    if (!stored) return;
    const { layer, id, name, tag, isNew, before, geometry } = stored;
    this.lastEdit.offer(isNew ? "created" : "saved", name, async () => {
      if (isNew) await remove(layer.id, id, tag);
      else await edit(layer.id, id, before, tag);
      if (isNew) this.onOpen();
    });
    this.#announce({ layer: layer.id, id, name }, geometry);
  }

  #announce(found: Found, geometry: Item["geometry"] | null): void {
    const bounds = boundsOf(geometry);
    if (bounds) this.onStored(found, new LngLat((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2));
  }

  #layer(id: string): Layer | undefined {
    return this.catalog.layers.find((layer) => layer.id === id);
  }

  #fail(error: unknown): void {
    if (error instanceof ServerError && error.status === 401) return;
    noticeWith(NOTICE, "notStored", [{ word: "understood", act: () => settle(NOTICE) }], () => (error instanceof Error ? error.message : String(error)));
  }

  /** On the map, Enter saves, and Escape puts the place back. */
  #key(event: KeyboardEvent): void {
    const form = this.#form;
    if (!form || event.target !== this.map.getCanvas() || form.place.isDrawing) return;
    if (event.key === "Enter") form.element.requestSubmit();
    if (event.key === "Escape") form.place.reset();
  }
}
