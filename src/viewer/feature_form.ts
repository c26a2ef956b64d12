// The form of one feature, new or stored: checked against its schema, saved over the state that it shows, conflicts field by
// field, nothing typed is lost.
import type { Geometry } from "geojson";
import type { Map } from "maplibre-gl";
import { create, edit, itemToEdit, ServerError, type Catalog, type Change, type Field, type Layer, type Properties } from "./api";
import { dropDraft, keepDraft, type Draft } from "./draft";
import { element } from "./element";
import { FieldInput, isSame } from "./field_input";
import { fieldValue } from "./format";
import { say } from "./language";
import { PlaceInput } from "./place_input";
import { explainFault } from "./fault";
import { kindOf } from "./problem";

const CONFLICT = 412;
const TIMEOUT_MS = 10_000;
/** Said by programs, not by people. */
const NOT_TYPED = new Set(["source"]);

/** What was stored, for the card and for undoing it. */
export type Stored = { layer: Layer; id: string; name: string; geometry: Geometry | null; tag: string; isNew: boolean; before: Change };

export class FeatureForm {
  readonly element = element("form", { class: "edit", novalidate: true });
  readonly place: PlaceInput;
  readonly #note = element("p", { class: "failed", role: "alert" });
  readonly #inputs: FieldInput[];
  /** Names and phones: in no reply, so empty ones stay as they are. */
  readonly #contacts: FieldInput[];
  #draft: Draft;
  #sent: { body: string; key: string } | undefined;

  /** @param onStored called after the feature was saved, or with undefined if nothing had changed or the form was cancelled */
  constructor(
    map: Map, private readonly layer: Layer, private readonly codes: Catalog["codes"], draft: Draft,
    private readonly onStored: (stored: Stored | undefined) => void,
  ) {
    this.#draft = draft;
    const shown = { ...draft.stored, ...draft.values };
    const fields = layer.fields.filter((field) => !field.read_only && !NOT_TYPED.has(field.name) && field.type !== "json");
    this.#inputs = fields.map((field) => new FieldInput(field, codes, field.name === "name", shown[field.name]));
    this.#contacts = layer.contacts.map(({ name, title }) => new FieldInput({ name, title, type: "text" } satisfies Field, codes, false, null));
    this.place = new PlaceInput(map, layer, draft.storedGeometry, draft.geometry);
    this.place.onChange = () => this.#keep();
    this.element.addEventListener("input", () => this.#keep());
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
    this.#draw();
  }

  /** Whether something would be saved. */
  get hasChanged(): boolean {
    return this.place.hasChanged || this.#changed().length > 0 || this.hasTypedContacts;
  }

  get hasTypedContacts(): boolean {
    return this.#contacts.some((input) => input.read() !== null);
  }

  /** What was typed so far. */
  get draft(): Draft {
    return this.#draft;
  }

  /** Takes the map back. */
  end(): void {
    this.place.end();
  }

  focus(): void {
    if (this.#draft.id === undefined) this.place.focus();
    else this.#inputs[0]?.focus();
  }

  #draw(): void {
    const cancel = element("button", { type: "button", class: "cancel" }, say("cancel"));
    cancel.addEventListener("click", () => {
      dropDraft();
      this.onStored(undefined);
    });
    this.element.replaceChildren(
      element("p", { class: "quiet hint" }, say("mustHint")),
      this.place.element,
      ...this.#inputs.map((input) => input.element),
      ...(this.#contacts.length > 0
        ? [element("h3", {}, say("contacts")), element("p", { class: "quiet hint" }, say(this.#draft.id === undefined ? "contactsNewHint" : "contactsHint")), ...this.#contacts.map((input) => input.element)]
        : []),
      element("div", { class: "end" }, this.#note,
        element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, say("save")), cancel)));
  }

  #changed(): FieldInput[] {
    return this.#inputs.filter((input) => !isSame(input.read(), this.#draft.stored[input.field.name]));
  }

  #keep(): void {
    if (this.#note.textContent === say("notFit")) this.#note.textContent = "";
    const values = Object.fromEntries(this.#changed().map((input) => [input.field.name, input.read()]));
    this.#draft = { ...this.#draft, values, geometry: this.place.geometry };
    if (this.hasChanged) keepDraft(this.#draft);
    else dropDraft();
  }

  /** Whether the schema accepts everything; what it does not accept is said at its field. */
  async #isFit(): Promise<boolean> {
    const place = await this.place.fault();
    this.place.complain(place ?? "");
    const faulty = this.#inputs.filter((input) => {
      const fault = input.fault();
      input.complain(fault ?? "");
      return fault !== undefined;
    });
    (place === undefined ? faulty[0] : this.place)?.focus();
    return place === undefined && faulty.length === 0;
  }

  async #save(): Promise<void> {
    this.#note.textContent = "";
    if (!(await this.#isFit())) {
      this.#note.textContent = say("notFit");
      return;
    }
    const changed = [...this.#changed(), ...this.#contacts.filter((input) => input.read() !== null)];
    const { id, tag, stored, storedGeometry } = this.#draft;
    if (changed.length === 0 && !this.place.hasChanged && id !== undefined) {
      dropDraft();
      return this.onStored(undefined);
    }
    const properties = Object.fromEntries(changed.map((input) => [input.field.name, input.read()]));
    const change: Change = { properties, ...(this.place.hasChanged ? { geometry: this.place.geometry } : {}) };
    // Contacts are unknown here, so undoing leaves them.
    const seen = this.#changed().map(({ field }) => [field.name, stored[field.name] ?? null] as const);
    const before: Change = { properties: Object.fromEntries(seen), ...(this.place.hasChanged ? { geometry: storedGeometry } : {}) };
    this.element.setAttribute("aria-busy", "true");
    try {
      const key = this.#key(JSON.stringify([tag, change]));
      const done = id === undefined ? await create(this.layer.id, { geometry: this.place.geometry, properties }, key) : { id, tag: await edit(this.layer.id, id, change, tag, key) };
      dropDraft();
      const name = String(this.#inputs.find(({ field }) => field.name === "name")?.read() ?? done.id);
      this.onStored({ layer: this.layer, ...done, name, geometry: this.place.geometry, isNew: id === undefined, before });
    } catch (error) {
      if (error instanceof ServerError && error.status === CONFLICT && id !== undefined) await this.#conflict(id);
      else this.#refuse(error);
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }

  /** The same key for the same request, so that one whose reply was lost is not carried out twice. */
  #key(body: string): string {
    if (this.#sent?.body !== body) {
      const random = crypto.getRandomValues(new Uint32Array(4));
      this.#sent = { body, key: [...random].map((part) => part.toString(36)).join("-") };
    }
    return this.#sent.key;
  }

  /** Shows what somebody else changed meanwhile; what was typed stays until theirs is taken, or is saved over it. */
  async #conflict(id: string): Promise<void> {
    try {
      const { item, tag } = await itemToEdit(this.layer.id, id, AbortSignal.timeout(TIMEOUT_MS));
      const mine = new Set(this.#changed());
      for (const input of this.#inputs) {
        const { name } = input.field;
        const theirs = item.properties[name];
        if (isSame(theirs, this.#draft.stored[name])) continue;
        if (mine.has(input) && !isSame(theirs, input.read())) this.#offer(input, theirs, item.properties);
        // What was not touched takes the new value; otherwise saving would restore the old one.
        else input.write(theirs);
      }
      const isPlaceTheirs = this.place.hasChanged && !isSame(item.geometry, this.#draft.storedGeometry);
      this.place.renew(item.geometry);
      if (isPlaceTheirs) this.place.complain(say("placeChangedTo"), this.#take(() => this.place.write(item.geometry), () => this.place.complain("")));
      this.#draft = { ...this.#draft, stored: item.properties, storedGeometry: item.geometry, tag };
      this.#keep();
      this.#note.textContent = say("changedMeanwhile");
      this.element.querySelector(".take")?.scrollIntoView({ block: "center" });
    } catch (error) {
      this.#refuse(error);
    }
  }

  #offer(input: FieldInput, theirs: unknown, properties: Properties): void {
    const text = fieldValue(input.field, properties, this.codes) ?? say("unknown");
    input.complain(`${say("changedTo")}${text}`, this.#take(() => input.write(theirs), () => input.complain("")));
  }

  #take(write: () => void, settle: () => void): HTMLButtonElement {
    const button = element("button", { type: "button", class: "take" }, say("takeTheirs"));
    button.addEventListener("click", () => {
      write();
      settle();
      this.#keep();
    });
    return button;
  }

  /** Says what the server refused, at the field that it names. */
  #refuse(error: unknown): void {
    if (!(error instanceof ServerError)) {
      this.#note.textContent = String(error);
      return;
    }
    const { problem, status, message } = error;
    // Too many people are named by their number only.
    const named = kindOf(problem) === "over-capacity" ? this.#inputs.find((input) => input.read() === problem.value)
      : [...this.#inputs, ...this.#contacts].find(({ field }) => problem.parameter === `/properties/${field.name}` || problem.parameter === field.name);
    const explained = (field?: Field) => problem.fault ? explainFault(problem.fault, message, field, this.codes) : message;
    if (named) {
      named.complain(explained(named.field));
      named.focus();
    } else if (problem.parameter === "/geometry") {
      this.place.complain(explained());
      this.place.focus();
    } else if (status === 0) this.#note.textContent = `${message}${say("keptInForm")}`;
    else if (status === 401) this.#note.textContent = say("signInToSave");
    else if (kindOf(problem) === "feature-not-found") this.#note.textContent = say("goneMeanwhile");
    else this.#note.textContent = message;
  }
}
