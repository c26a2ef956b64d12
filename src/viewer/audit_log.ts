// The audit log for administrators: who did what, when and from where, newest first.
import { auditEntries, type AuditRow, type Catalog } from "./api";
import { element } from "./element";
import { time } from "./format";
import { onLanguage, pick, say } from "./language";
import { PanelRequest, type Panel } from "./panel";
import { ROLES } from "./session";
import type { Word } from "./words";

const PAGE = 50;
const ACTIONS: Record<string, Word> = {
  create: "auditCreate", change: "auditChange", delete: "auditDelete", reveal: "auditReveal", "sign-in": "auditSignIn", "token-add": "auditTokenAdd",
  "token-revoke": "auditTokenRevoke", import: "auditImport", "undo-import": "auditUndoImport", sync: "auditSync", "audit-prune": "auditPrune",
};
/** Between the values of a list in an entry. */
const COMMA = ", ";
/** What is asked for, by parameter; empty for all. */
const FILTERS = ["actor", "action", "layer", "id"] as const;
type Filters = Record<(typeof FILTERS)[number], string>;

export class AuditLog {
  #isOpen = false;
  #filters: Filters = { actor: "", action: "", layer: "", id: "" };
  #rows: AuditRow[] | undefined;
  /** The number from which the log continues. */
  #next: number | null = null;
  readonly #request: PanelRequest;
  readonly #leave = () => {
    this.#isOpen = false;
    this.#request.abort();
  };

  /** Called before the panel opens. */
  onOpen: () => void = () => undefined;

  constructor(private readonly catalog: Catalog, private readonly panel: Panel) {
    this.#request = new PanelRequest(panel, () => this.#draw());
    onLanguage(() => this.#draw());
  }

  async open(): Promise<void> {
    this.onOpen();
    this.#isOpen = true;
    this.panel.open(this.#leave);
    await this.#load();
  }

  /** Loads the newest entries, or those before a number. */
  async #load(before?: number): Promise<void> {
    if (before === undefined) this.#rows = undefined;
    await this.#request.send((signal) => auditEntries({ ...this.#filters, limit: String(PAGE) }, before, signal), (page) => {
      if (!page) return;
      this.#rows = [...(this.#rows ?? []), ...page.entries];
      this.#next = page.next;
    });
  }

  #draw(): void {
    if (!this.#isOpen) return;
    const rows = this.#rows;
    const more = element("button", { type: "button", class: "more" }, say("more"));
    more.addEventListener("click", () => void this.#load(this.#next ?? undefined));
    this.panel.draw(say("auditLog"),
      this.panel.keep("audit-log", [], () => element("div", { class: "question" }, this.#form())),
      ...(rows ? [element("div", { class: "view-rows entries" },
        ...rows.map((row) => this.panel.keep("entry", row.number, () => this.#row(row))),
        rows.length === 0 && this.#next === null ? element("p", { class: "quiet" }, say("noEntries")) : undefined,
        this.#next === null ? undefined : more)] : []),
      ...this.#request.told(rows !== undefined));
  }

  #form(): HTMLElement {
    const text = (name: "actor" | "id") => element("input", { name, maxlength: 200, spellcheck: "false", value: this.#filters[name] });
    const choice = (name: "action" | "layer", options: [string, string][]) => element("select", { name },
      ...[["", say("anyNumber")] as const, ...options].map(([value, label]) => element("option", { value, selected: value === this.#filters[name] }, label)));
    const fields = {
      actor: text("actor"), action: choice("action", Object.entries(ACTIONS).map(([action, word]) => [action, say(word)])),
      layer: choice("layer", this.catalog.layers.map(({ id, title }) => [id, pick(title)])), id: text("id"),
    };
    const labels = { actor: "account", action: "auditAction", layer: "exportLayer", id: "auditId" } as const satisfies Record<keyof Filters, Word>;
    const form = element("form", { class: "limits log" },
      ...FILTERS.map((name) => element("label", { class: "field" }, say(labels[name]), fields[name])), element("button", { type: "submit" }, say("ask")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      for (const name of FILTERS) this.#filters[name] = fields[name].value.trim();
      void this.#load();
    });
    return form;
  }

  #row({ number, entry }: AuditRow): HTMLElement {
    // The server gives no content for an entry that was damaged in the store.
    if (!entry) return element("p", { class: "failed", "data-number": number }, `${number} · ${say("auditDamaged")}`);
    const layer = this.catalog.layers.find(({ id }) => id === entry.layer);
    const about = [layer ? pick(layer.title) : entry.layer, entry.id].filter(Boolean).join(" ");
    const facts: [Word, string | undefined][] = [
      ["role", say(ROLES[entry.role])], ["auditAddress", entry.address], ["auditReason", entry.reason], ["auditRequest", entry.request_id], ["auditNumber", String(number)],
    ];
    const changes = Object.entries(entry.changes ?? {});
    const nameOf = (field: string) => {
      const title = [...(layer?.fields ?? []), ...(layer?.contacts ?? [])].find(({ name }) => name === field)?.title;
      return title ? pick(title) : field === "geometry" ? say("position") : field;
    };
    const valueOf = (name: string, value: string | null) => {
      const field = layer?.fields.find((one) => one.name === name);
      const codes = this.catalog.codes[field?.codes ?? ""];
      if (value === null) return "–";
      if (!codes) return field?.type === "datetime" ? time(value) : value;
      const labels = value.split(COMMA).map((text) => [text, codes.find(({ code }) => String(code) === text)] as const);
      return labels.map(([text, code]) => (code ? pick(code) : text)).join(say("listComma"));
    };
    return element("details", { "data-number": number },
      element("summary", {},
        element("span", { class: "name" }, `${actionName(entry.action)} ${about}`),
        element("span", { class: "far" }, entry.actor),
        element("span", { class: "facts" }, time(entry.at))),
      element("dl", {}, ...facts.flatMap(([word, fact]) => (fact ? [element("dt", {}, say(word)), element("dd", {}, fact)] : []))),
      changes.length === 0 ? undefined : element("table", { class: "counts" },
        element("thead", {}, element("tr", {}, ...(["auditField", "auditBefore", "auditAfter"] as const).map((word) => element("th", { scope: "col" }, say(word))))),
        element("tbody", {}, ...changes.map(([field, [before, after]]) => element("tr", {},
          element("th", { scope: "row" }, nameOf(field)), element("td", {}, valueOf(field, before)), element("td", {}, valueOf(field, after)))))));
  }
}

/** The name of an action; one of a newer server is shown as it is. */
function actionName(action: string): string {
  const word = ACTIONS[action];
  return word ? say(word) : action;
}
