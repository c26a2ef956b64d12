// The form that changes the values of one feature: conflicts field by field, nothing typed is lost, the last edit undone.
import { edit, itemToEdit, ServerError, type Catalog, type Field, type Layer, type Properties } from "./api";
import { element } from "./element";
import { fieldValue } from "./format";
import { pick, say, unitWord } from "./language";

const CONFLICT = 412;
/** Fields that the server sets, and structured ones. */
const NOT_EDITED = new Set(["source", "updated_at", "version"]);

type Control = { field: Field; entry: HTMLElement; read: () => unknown; note: HTMLElement };

export class EditForm {
  readonly element = element("form", { class: "edit" });
  readonly #note = element("p", { class: "failed", role: "alert" });
  #controls: Control[] = [];
  #stored: Properties = {};
  #tag = "";

  /** @param onEnd called after the feature was saved, with a way to undo it, or after the form was cancelled */
  constructor(
    private readonly layer: Layer, private readonly id: string, private readonly codes: Catalog["codes"],
    private readonly onEnd: (undo?: () => Promise<void>) => void,
  ) {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
  }

  /** Loads the feature and shows its values. */
  async open(signal: AbortSignal): Promise<void> {
    const { item, tag } = await itemToEdit(this.layer.id, this.id, signal);
    [this.#stored, this.#tag] = [item.properties, tag];
    const fields = this.layer.fields.filter((field) => !NOT_EDITED.has(field.name) && field.type !== "json");
    this.#controls = fields.map((field) => this.#control(field));
    const cancel = element("button", { type: "button" }, say("cancel"));
    cancel.addEventListener("click", () => this.onEnd());
    this.element.replaceChildren(...this.#controls.map(({ entry }) => entry),
      element("div", { class: "end" }, this.#note,
        element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, say("save")), cancel)));
    this.element.querySelector<HTMLElement>("input, select")?.focus();
  }

  /** The values that were changed in the form. */
  #changed(): Properties {
    const same = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
    return Object.fromEntries(this.#controls
      .map(({ field, read }) => [field.name, read()] as const)
      .filter(([name, value]) => !same(value, this.#stored[name])));
  }

  async #save(): Promise<void> {
    const changed = this.#changed();
    this.#note.textContent = "";
    for (const { note } of this.#controls) note.textContent = "";
    if (Object.keys(changed).length === 0) return this.onEnd();
    const before = Object.fromEntries(Object.keys(changed).map((name) => [name, this.#stored[name] ?? null]));
    try {
      const tag = await edit(this.layer.id, this.id, changed, this.#tag);
      this.onEnd(async () => void (await edit(this.layer.id, this.id, before, tag)));
    } catch (error) {
      if (error instanceof ServerError && error.status === CONFLICT) await this.#conflict(changed);
      else this.#refuse(error);
    }
  }

  /** Shows what somebody else changed meanwhile; what was typed stays, and is saved over it on request. */
  async #conflict(changed: Properties): Promise<void> {
    try {
      const { item, tag } = await itemToEdit(this.layer.id, this.id, AbortSignal.timeout(10_000));
      for (const { field, note } of this.#controls) {
        if (!(field.name in changed) || item.properties[field.name] === this.#stored[field.name]) continue;
        const theirs = fieldValue(field, item.properties, this.codes) ?? say("unknown");
        note.textContent = `${say("changedTo")} ${theirs}`;
      }
      [this.#stored, this.#tag] = [item.properties, tag];
      // What was not touched takes the new values; otherwise saving would restore the old ones.
      this.#controls = this.#controls.map((control) => {
        if (control.field.name in changed) return control;
        const renewed = this.#control(control.field);
        control.entry.replaceWith(renewed.entry);
        return renewed;
      });
      this.#note.textContent = say("changedMeanwhile");
      this.#controls.find(({ note }) => note.textContent !== "")?.entry.scrollIntoView({ block: "nearest" });
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const own = this.#controls.find(({ field }) => text.includes(`/properties/${field.name}`));
    (own?.note ?? this.#note).textContent = text;
    own?.entry.scrollIntoView({ block: "nearest" });
  }

  #control(field: Field): Control {
    const value = this.#stored[field.name];
    const note = element("small", { class: "failed", role: "alert" });
    const unit = field.unit ? ` (${unitWord(field.unit)})` : "";
    const wrap = (control: HTMLElement) => element("label", {}, `${pick(field.title)}${unit}`, control, note);
    const codes = field.codes ? this.codes[field.codes] : undefined;
    if (codes && field.type === "text_list") {
      const chosen = Array.isArray(value) ? (value as string[]) : [];
      const boxes = codes.map((code) => element("input", { type: "checkbox", value: String(code.code), checked: chosen.includes(String(code.code)) }));
      const entry = element("fieldset", {}, element("legend", {}, pick(field.title)),
        ...codes.map((code, at) => element("label", {}, boxes[at]!, pick(code))), note);
      const read = () => {
        const list = boxes.filter((box) => box.checked).map((box) => box.value);
        return list.length > 0 ? list : null;
      };
      return { field, entry, read, note };
    }
    if (codes || field.type === "boolean") {
      const choices = codes?.map((code) => [String(code.code), pick(code)] as const) ?? [["true", say("yes")] as const, ["false", say("no")] as const];
      const select = element("select", {}, element("option", { value: "" }, say("unknown")),
        ...choices.map(([code, title]) => element("option", { value: code, selected: String(value ?? "") === code }, title)));
      const read = () => {
        if (select.value === "") return null;
        if (field.type === "boolean") return select.value === "true";
        return field.type === "integer" ? Number(select.value) : select.value;
      };
      return { field, entry: wrap(select), read, note };
    }
    const isNumber = field.type === "integer" || field.type === "real";
    const isTime = field.type === "datetime";
    const shown = isTime && typeof value === "string" ? localTime(value) : Array.isArray(value) ? value.join(";") : String(value ?? "");
    const input = element("input", {
      type: isNumber ? "number" : isTime ? "datetime-local" : field.type === "date" ? "date" : "text",
      value: shown, step: field.type === "integer" ? 1 : isNumber ? "any" : undefined, required: field.name === "name",
    });
    const read = () => {
      const text = input.value.trim();
      // A time that was not touched keeps its seconds.
      if (text === shown) return value ?? null;
      if (text === "") return null;
      if (isNumber) return Number(text);
      if (isTime) return new Date(`${text}+08:00`).toISOString();
      return field.type === "text_list" ? text.split(/[;；]/).map((part) => part.trim()).filter((part) => part !== "") : text;
    };
    return { field, entry: wrap(input), read, note };
  }
}

/** A time in Beijing as the input field takes it. */
function localTime(instant: string): string {
  const BEIJING_MS = 8 * 3_600_000;
  return new Date(Date.parse(instant) + BEIJING_MS).toISOString().slice(0, 16);
}
