// The query form: layers, people, hazards, areas to avoid, skills, items and township.
import type { Catalog, Code, Layer } from "./api";
import { element } from "./element";
import { number } from "./format";
import { language, pick, say } from "./language";
import { ASKED_LAYERS, AVOIDED, COUNTS, PREFERENCES, demandOf, layersAsked, type Question } from "./question";
import type { Word } from "./words";

const AVOIDED_WORDS: Record<(typeof AVOIDED)[number], Word> = { any: "anyZone", warnings: "warningAreas", incidents: "incidentAreas" };
export type Township = { code: string; name: string };

export class QuestionForm {
  /** The groups of the form that was drawn last, by name. */
  #groups = new Map<string, HTMLDetailsElement>();

  constructor(
    private readonly catalog: Catalog,
    private readonly townships: readonly Township[],
    private readonly onChange: (part: Partial<Question>) => void,
  ) {}

  /** Creates the form for a query; every change runs the query at once, text changes when they are complete. */
  draw(question: Question): HTMLElement {
    // The focus first moves on to the next input, which is then found again.
    const change = (part: Partial<Question>) => void setTimeout(() => this.onChange(part));
    const shelters = question.layers.includes("shelters");
    const form = element("form", { class: "conditions", "aria-label": say("conditions") },
      this.#what(question, change),
      shelters ? this.#people(question, change) : undefined,
      shelters ? this.#several("hazard", "hazard", "fitFor", question.hazard, this.#codes("hazard"), (hazard) => change({ hazard })) : undefined,
      this.#several("avoid", "avoid", "avoid", question.avoid,
        [...AVOIDED.map((code) => ({ code, name: say(AVOIDED_WORDS[code]) })), ...this.#codes("hazard")], (avoid) => change({ avoid })),
      question.layers.includes("teams")
        ? this.#several("skills", "skills", "skills", question.skills, this.#codes("skill"), (skills) => change({ skills })) : undefined,
      question.layers.includes("depots") ? this.#items(question, change) : undefined,
      this.#where(question, change),
      this.#plan(question, change));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      (document.activeElement as HTMLElement | null)?.blur();
    });
    return form;
  }

  #what(question: Question, change: (part: Partial<Question>) => void): HTMLElement {
    const layers = ASKED_LAYERS.flatMap((id) => this.catalog.layers.filter((layer) => layer.id === id));
    const chips = layers.map((layer: Layer) => chip("layer", layer.id, pick(layer.title), question.layers.includes(layer.id), (on) => {
      const next = ASKED_LAYERS.filter((id) => (id === layer.id ? on : question.layers.includes(id)));
      // At least one layer must stay selected.
      change({ layers: next.length > 0 ? [...next] : question.layers });
    }));
    const count = element("select", { "data-field": "k", "aria-label": say("howMany") },
      ...[...new Set([...COUNTS, question.k])].toSorted((a, b) => a - b).map((k) =>
        element("option", { value: k, selected: k === question.k }, `${say("upTo")} ${number(k)}`)));
    count.addEventListener("change", () => change({ k: Number(count.value) }));
    return group(say("lookFor"), element("div", { class: "chips" }, ...chips, count));
  }

  #people(question: Question, change: (part: Partial<Question>) => void): HTMLElement {
    const people = element("input", {
      type: "number", min: 1, max: 1_000_000, step: 1, inputmode: "numeric", "data-field": "people", value: question.people, placeholder: say("anyNumber"),
    });
    people.addEventListener("change", () => {
      if (!people.reportValidity()) return;
      change({ people: people.value === "" ? undefined : Number(people.value) });
    });
    const night = chip("night", "true", say("overNight"), question.night, (on) => change({ night: on }));
    night.title = say("nightHint");
    return element("div", { class: "pair" },
      element("label", { class: "field" }, element("span", {}, say("peopleToPlace")), people), night);
  }

  #where(question: Question, change: (part: Partial<Question>) => void): HTMLElement {
    const within = element("select", { "data-field": "within" },
      element("option", { value: "" }, say("anywhere")),
      ...this.townships.map(({ code, name }) => element("option", { value: code, selected: code === question.within }, name)));
    if (question.within && within.value !== question.within) within.append(element("option", { value: question.within, selected: true }, question.within));
    within.addEventListener("change", () => change({ within: within.value }));
    return element("label", { class: "field" }, element("span", {}, say("within")), within);
  }

  #plan(question: Question, change: (part: Partial<Question>) => void): HTMLElement {
    const possible = question.layers.some((layer) => demandOf(question, layer));
    const plan = chip("cover", "true", say("coverPlan"), question.cover && possible, (on) => change({ cover: on }));
    plan.querySelector("input")!.disabled = !possible;
    if (!question.cover || !possible) {
      return element("div", { class: "plan-choice" }, plan, element("p", { class: "quiet" }, say(possible ? "coverHint" : "coverNeeds")));
    }
    const words = { nearest: "preferNearest", fewest: "preferFewest", balanced: "preferBalanced" } as const;
    const prefer = element("select", { "data-field": "prefer", "aria-label": say("prefer") },
      ...PREFERENCES.map((own) => element("option", { value: own, selected: own === question.prefer }, say(words[own]))));
    prefer.addEventListener("change", () => change({ prefer: PREFERENCES.find((own) => own === prefer.value) ?? PREFERENCES[0] }));
    return element("div", { class: "plan-choice" }, plan, prefer);
  }

  /** A collapsed multiple choice of codes; the summary lists the selected ones. */
  #several(
    name: string, field: string, title: Word, chosen: string[], codes: { code: string; name: string }[], change: (codes: string[]) => void,
  ): HTMLElement {
    const names = chosen.map((code) => codes.find((one) => one.code === code)?.name ?? code);
    return this.#folded(name, title, names.join(say("listComma")), element("div", { class: "chips" },
      ...codes.map(({ code, name: label }) => chip(field, code, label, chosen.includes(code), (on) =>
        change(on ? [...chosen, code] : chosen.filter((one) => one !== code))))));
  }

  #items(question: Question, change: (part: Partial<Question>) => void): HTMLElement {
    const codes = this.#codes("stock_item");
    const nameOf = (code: string) => codes.find((one) => one.code === code)?.name ?? code;
    const rows = question.items.map((item, at) => {
      const quantity = element("input", {
        type: "number", min: 1, max: 1_000_000_000, step: 1, value: item.quantity, "data-item": item.code, "aria-label": `${nameOf(item.code)} ${say("quantity")}`,
      });
      quantity.addEventListener("change", () => {
        if (!quantity.reportValidity() || quantity.value === "") return;
        change({ items: question.items.with(at, { ...item, quantity: Number(quantity.value) }) });
      });
      const remove = element("button", { type: "button", class: "remove", "aria-label": `${say("remove")} ${nameOf(item.code)}` }, "×");
      remove.addEventListener("click", () => change({ items: question.items.filter((one) => one !== item) }));
      return element("li", {}, element("span", { class: "name" }, nameOf(item.code)), quantity, remove);
    });
    const add = element("select", { "data-field": "items", "aria-label": say("addItem") },
      element("option", { value: "" }, say("addItem")),
      ...codes.filter(({ code }) => question.items.every((item) => item.code !== code)).map(({ code, name }) => element("option", { value: code }, name)));
    add.addEventListener("change", () => {
      if (add.value) change({ items: [...question.items, { code: add.value, quantity: 1 }] });
    });
    return this.#folded("items", "items", question.items.map(({ code, quantity }) => `${nameOf(code)} ${number(quantity)}`).join(say("listComma")),
      element("ul", { class: "items" }, ...rows), add);
  }

  #folded(name: string, title: Word, chosen: string, ...children: HTMLElement[]): HTMLElement {
    const details = element("details", { "data-fold": name, open: this.#groups.get(name)?.open ?? false },
      element("summary", {}, element("span", { class: "label" }, say(title)),
        element("span", { class: chosen ? "chosen" : "chosen quiet" }, chosen || say("noCondition"))),
      ...children);
    this.#groups.set(name, details);
    return details;
  }

  #codes(list: string): { code: string; name: string }[] {
    return (this.catalog.codes[list] ?? []).map((code: Code) => ({ code: String(code.code), name: pick(code) }));
  }
}

/** The query in one line, for the collapsed form. */
export function summaryOf(question: Question, catalog: Catalog, townships: readonly Township[]): string {
  const name = (list: string, code: string) => {
    const found = catalog.codes[list]?.find((one) => String(one.code) === code);
    const avoided = AVOIDED.find((own) => own === code);
    return found ? pick(found) : avoided ? say(AVOIDED_WORDS[avoided]) : code;
  };
  const layers = layersAsked(question);
  const parts: string[] = [];
  if (layers.includes("shelters") && question.people !== undefined) {
    parts.push(`${number(question.people)} ${say("persons")}${question.night ? ` ${say("overNight").toLowerCase()}` : ""}`);
  }
  if (layers.includes("shelters") && question.hazard.length > 0) parts.push(question.hazard.map((code) => name("hazard", code)).join("/"));
  if (question.avoid.length > 0) parts.push(`${say("avoid")} ${question.avoid.map((code) => name("hazard", code)).join("/")}`);
  if (layers.includes("teams") && question.skills.length > 0) parts.push(question.skills.map((code) => name("skill", code)).join("/"));
  if (layers.includes("depots")) parts.push(...question.items.map(({ code, quantity }) => `${name("stock_item", code)} ${number(quantity)}`));
  if (question.within) parts.push(townships.find(({ code }) => code === question.within)?.name ?? question.within);
  return parts.join(language() === "zh" ? "，" : ", ");
}

/** A check box that looks like a button. */
function chip(field: string, code: string, name: string, checked: boolean, change: (on: boolean) => void): HTMLElement {
  const box = element("input", { type: "checkbox", checked, "data-field": field, value: code });
  box.addEventListener("change", () => change(box.checked));
  return element("label", { class: "chip" }, box, element("span", {}, name));
}

function group(name: string, ...children: HTMLElement[]): HTMLElement {
  return element("div", { role: "group", "aria-label": name, class: "field" }, element("span", { "aria-hidden": "true" }, name), ...children);
}
