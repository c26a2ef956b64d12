// Commitments of resources to incidents: the form that makes them, and the list of those that are open.
import * as api from "./api";
import { element, part } from "./element";
import { codeLabel, number, time } from "./format";
import { onLanguage, say } from "./language";
import type { Amount } from "./question";
import type { SessionPanel } from "./session";
import { isOver, type Situation } from "./situation";

export const COMMITMENT_LAYER = "commitments";

/** What may be promised of a resource. */
export type Offer = { layer: string; id: string; name: string; people?: number; night?: boolean; items?: Amount[] };

/** Amounts of an offer in the form. */
type Row = { offer: Offer; people?: HTMLInputElement; items: { code: string; quantity: HTMLInputElement }[] };

export class Commitments {
  #open: readonly api.Item[] = [];
  readonly #dialog = element("dialog", { id: "commit", "aria-labelledby": "commit-title" });

  constructor(
    private readonly catalog: api.Catalog,
    private readonly situation: Situation,
    private readonly session: SessionPanel,
  ) {
    document.body.append(this.#dialog);
    onLanguage(() => this.#draw());
    void this.load();
  }

  /** Whether this browser may promise resources. */
  get isPossible(): boolean {
    return this.session.writes(COMMITMENT_LAYER);
  }

  async load(): Promise<void> {
    // The public sees no commitments.
    if (!this.catalog.layers.some(({ id }) => id === COMMITMENT_LAYER)) return;
    try {
      this.#open = await api.commitments();
    } catch {
      // The list stays as it is; the next change, or the next connection, loads it again.
    }
    this.#draw();
  }

  /** @param incident the incident that is chosen first */
  ask(offers: Offer[], incident?: string): void {
    const rows = offers.map((offer) => this.#row(offer));
    const running = this.situation.list().filter((one) => !isOver(one));
    const choice = element("select", { name: "incident", required: true },
      ...running.map((one) => element("option", { value: one.id, selected: one.id === incident }, one.name)));
    const until = element("input", { type: "datetime-local", name: "until" });
    const note = element("input", { type: "text", name: "note", maxlength: 500 });
    const reason = element("input", { type: "text", name: "override", maxlength: 500 });
    const override = element("label", { hidden: true }, say("overrideReason"), reason);
    const failure = element("p", { class: "failed", role: "alert" });
    const cancel = element("button", { type: "button" }, say("cancel"));
    cancel.addEventListener("click", () => this.#dialog.close());
    const form = element("form", {},
      element("label", {}, say("forIncident"), choice),
      ...rows.map(({ offer, people, items }) => element("fieldset", {},
        element("legend", {}, offer.name),
        ...(people ? [element("label", {}, say("people"), people)] : []),
        ...items.map(({ code, quantity }) => element("label", {}, codeLabel(this.catalog.codes.stock_item, code), quantity)))),
      element("label", {}, say("untilWhen"), until, element("span", { class: "quiet" }, say("untilHint"))),
      element("label", {}, say("note"), note),
      override,
      failure,
      element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, say("commit")), cancel));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      failure.textContent = "";
      const end = until.value === "" ? undefined : new Date(until.value).toISOString();
      const made = rows.map((row) => body(row, choice.value, end, note.value.trim(), reason.value.trim()));
      api.commit(made).then(() => {
        this.#dialog.close();
        void this.load();
      }, (error: unknown) => {
        failure.textContent = error instanceof Error ? error.message : String(error);
        // More than is free is promised only for a reason.
        if (error instanceof api.ServerError && error.status === 409) override.hidden = false;
      });
    });
    this.#dialog.replaceChildren(
      element("h2", { id: "commit-title" }, say("commitResources")),
      running.length > 0 ? form : element("div", {}, element("p", {}, say("noIncidents")), element("p", { class: "actions" }, cancel)));
    this.#dialog.showModal();
  }

  #row(offer: Offer): Row {
    const count = (value: number | undefined) =>
      element("input", { type: "number", min: 1, max: 1_000_000, step: "any", required: true, value: value === undefined ? "" : value });
    return {
      offer,
      people: offer.layer === "shelters" ? count(offer.people) : undefined,
      items: (offer.items ?? []).map(({ code, quantity }) => ({ code, quantity: count(quantity) })),
    };
  }

  #draw(): void {
    const box = part("commitments");
    box.hidden = this.#open.length === 0;
    if (box.hidden) return;
    box.replaceChildren(
      element("h3", {}, say("openCommitments"), element("span", { class: "tally some" }, number(this.#open.length))),
      element("ul", {}, ...this.#open.map((one) => this.#line(one))));
  }

  #line({ id, properties }: api.Item): HTMLElement {
    const { people, items, until, state, note } = properties;
    const facts = [
      codeLabel(this.catalog.codes.commitment_state, state),
      typeof people === "number" ? `${number(people)} ${say("persons")}` : undefined,
      ...itemsOf(items).map(({ item_code: code, quantity }) => `${codeLabel(this.catalog.codes.stock_item, code)} ${number(quantity)}`),
      typeof until === "string" ? `${say("untilWhen")} ${time(until)}` : undefined,
      typeof note === "string" ? note : undefined,
    ].filter((fact) => fact !== undefined);
    const release = element("button", { type: "button", class: "release" }, say("release"));
    release.addEventListener("click", () => {
      release.disabled = true;
      api.updateCommitment(id, { state: "released" }).then(() => this.load(), (error: unknown) => {
        release.disabled = false;
        release.title = error instanceof Error ? error.message : String(error);
        release.textContent = say("releaseFailed");
      });
    });
    return element("li", { "data-id": id },
      element("span", { class: "name" }, String(properties.name ?? id)),
      element("span", { class: "quiet" }, facts.join(" · ")),
      ...(this.isPossible ? [release] : []));
  }
}

function body({ offer, people, items }: Row, incident: string, until: string | undefined, note: string, reason: string): api.NewCommitment {
  return {
    incident,
    resource: { layer: offer.layer, id: offer.id },
    ...(people ? { people: Math.round(people.valueAsNumber), night: offer.night ?? false } : {}),
    ...(items.length > 0 ? { items: items.map(({ code, quantity }) => ({ code, quantity: quantity.valueAsNumber })) } : {}),
    ...(until === undefined ? {} : { until }),
    ...(note === "" ? {} : { note }),
    ...(reason === "" ? {} : { override: reason }),
  };
}

function itemsOf(items: unknown): { item_code: string; quantity: number }[] {
  return Array.isArray(items) ? items as { item_code: string; quantity: number }[] : [];
}
