// The input of one field in a form: made from the schema, checked against it, with what is wrong below it.
import type { Catalog, Code, Field } from "./api";
import { element } from "./element";
import { number } from "./format";
import { pick, say, unitWord } from "./language";

const BEIJING_MS = 8 * 3_600_000;

/** The control of an input and how its value is read and written. */
type Control = { entry: HTMLElement; read: () => unknown; write: (value: unknown) => void; isUnreadable?: () => boolean };

export class FieldInput {
  readonly element: HTMLElement;
  readonly #note: HTMLElement;
  readonly #control: Control;

  constructor(readonly field: Field, codes: Catalog["codes"], readonly isRequired: boolean, value: unknown) {
    const id = `edit-${field.name}`;
    this.#note = element("p", { class: "failed", id: `${id}-note`, role: "alert" });
    this.#control = controlOf(field, field.codes ? codes[field.codes] : undefined, id, isRequired);
    // That a number is not negative goes without saying.
    const hint = field.min === 0 && field.max === undefined ? undefined : limitsOf(field);
    const unit = field.unit ? element("span", { class: "quiet" }, ` ${unitWord(field.unit)}`) : undefined;
    const mark = isRequired ? element("span", { class: "must", "aria-hidden": "true" }, " *") : undefined;
    const { entry } = this.#control;
    const isGroup = entry.tagName === "FIELDSET";
    const heading = isGroup ? [] : [element("label", { for: id }, pick(field.title), unit, mark)];
    const shownHint = hint ? element("p", { class: "quiet hint", id: `${id}-hint` }, hint) : undefined;
    this.element = element("div", { class: "input", "data-field": field.name }, ...heading, entry, shownHint, this.#note);
    this.#focusable()?.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-note`);
    this.write(value);
  }

  read(): unknown {
    return this.#control.read();
  }

  write(value: unknown): void {
    this.#control.write(value ?? null);
  }

  /** What the schema does not accept about the value. */
  fault(): string | undefined {
    const { field } = this;
    if (this.#control.isUnreadable?.()) return say(field.type === "integer" || field.type === "real" ? "notANumber" : "notATime");
    const value = this.read();
    if (value === null) return this.isRequired ? say("isRequired") : undefined;
    if (typeof value !== "number" || field.codes) return undefined;
    if (field.type === "integer" && !Number.isInteger(value)) return say("notWhole");
    const isOut = (field.min !== undefined && value < field.min) || (field.max !== undefined && value > field.max);
    return isOut ? `${say("outOfRange")} ${limitsOf(field) ?? ""}` : undefined;
  }

  /** Says below the input what is wrong, with further controls, or nothing. */
  complain(text: string, ...more: HTMLElement[]): void {
    this.#note.replaceChildren(text, ...more);
    this.#focusable()?.setAttribute("aria-invalid", String(text !== ""));
  }

  focus(): void {
    this.element.scrollIntoView({ block: "nearest" });
    this.#focusable()?.focus();
  }

  #focusable(): HTMLElement | null {
    const { entry } = this.#control;
    return entry.tagName === "FIELDSET" ? entry.querySelector("input") : entry;
  }
}

/** The value of a field for the form; two values are the same if these are. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** The smallest and largest accepted number. */
export function limitsOf({ min, max, codes }: Field): string | undefined {
  if (codes || (min === undefined && max === undefined)) return undefined;
  if (min === undefined) return `≤ ${number(max!)}`;
  return max === undefined ? `≥ ${number(min)}` : `${number(min)} – ${number(max)}`;
}

function controlOf(field: Field, codes: readonly Code[] | undefined, id: string, isRequired: boolean): Control {
  if (codes && field.type === "text_list") return boxes(field, codes);
  if (codes || field.type === "boolean") return choice(field, codes, id, isRequired);
  return typed(field, id, isRequired);
}

/** Several codes. */
function boxes(field: Field, codes: readonly Code[]): Control {
  const all = codes.map((code) => element("input", { type: "checkbox", value: String(code.code) }));
  const entry = element("fieldset", {}, element("legend", {}, pick(field.title)),
    ...codes.map((code, at) => element("label", {}, all[at]!, pick(code))));
  let written: unknown[] = [];
  return {
    entry,
    read: () => {
      // What was there keeps its order, and codes that the list does not have yet are kept.
      const kept = written.filter((code) => all.find((box) => box.value === code)?.checked ?? true);
      const chosen = [...kept, ...all.filter((box) => box.checked && !written.includes(box.value)).map((box) => box.value)];
      return chosen.length > 0 ? chosen : null;
    },
    write: (value) => {
      written = Array.isArray(value) ? value : [];
      for (const box of all) box.checked = written.includes(box.value);
    },
  };
}

function choice(field: Field, codes: readonly Code[] | undefined, id: string, isRequired: boolean): Control {
  const options = codes?.map((code) => [String(code.code), pick(code)] as const) ?? [["true", say("yes")] as const, ["false", say("no")] as const];
  const select = element("select", { id, "aria-required": String(isRequired) }, element("option", { value: "" }, say("unknown")),
    ...options.map(([code, title]) => element("option", { value: code }, title)));
  return {
    entry: select,
    read: () => {
      if (select.value === "") return null;
      if (field.type === "boolean") return select.value === "true";
      return field.type === "integer" ? Number(select.value) : select.value;
    },
    write: (value) => {
      const text = String(value ?? "");
      // A code that the list does not have yet is kept.
      if (![...select.options].some((option) => option.value === text)) select.append(element("option", { value: text }, text));
      select.value = text;
    },
  };
}

function typed(field: Field, id: string, isRequired: boolean): Control {
  const isNumber = field.type === "integer" || field.type === "real";
  const isTime = field.type === "datetime";
  const input = element("input", {
    id, type: isNumber ? "number" : isTime ? "datetime-local" : field.type === "date" ? "date" : "text", step: field.type === "integer" ? 1 : isNumber ? "any" : undefined,
    "aria-required": String(isRequired), autocomplete: "off",
  });
  let [written, shown]: [unknown, string] = [null, ""];
  return {
    entry: input,
    isUnreadable: () => input.validity.badInput,
    read: () => {
      const text = input.value.trim();
      // A time that was not touched keeps its seconds.
      if (text === shown) return written;
      if (text === "") return null;
      if (isNumber) return Number(text);
      if (isTime) return new Date(`${text}+08:00`).toISOString();
      return field.type === "text_list" ? text.split(/[;；]/).map((part) => part.trim()).filter((part) => part !== "") : text;
    },
    write: (value) => {
      input.value = isTime && typeof value === "string" ? localTime(value) : Array.isArray(value) ? value.join(";") : String(value ?? "");
      [written, shown] = [value, input.value];
    },
  };
}

/** A time in Beijing as the input field takes it. */
function localTime(instant: string): string {
  return new Date(Date.parse(instant) + BEIJING_MS).toISOString().slice(0, 16);
}
