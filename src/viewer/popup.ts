// The card of one feature: opened by a click, with all its public fields.
import { Popup, type LngLat, type Map } from "maplibre-gl";
import { item, reveal, ServerError, type Catalog, type Field, type Layer, type Properties } from "./api";
import { element } from "./element";
import { fieldValue, time } from "./format";
import { language, onLanguage, pick, say } from "./language";
import { reportLayer, situationReports } from "./situation_reports";

export type Found = { layer: string; id: string; name: string };

/** Space between the card and the edge of the map. */
const MARGIN_PX = 10;
/** Fields shown in the footer or heading instead of the rows. */
const APART = new Set(["name", "region_code", "source", "confirmed_at", "updated_at", "version"]);

export class Card {
  readonly #popup: Popup;
  #found: Found[] = [];
  /** Gives the focus back to where the card was opened, when the card is closed by hand. */
  #returnFocus: (() => void) | undefined;
  #at = 0;
  #request = new AbortController();

  /** Whether features of a layer may be edited. */
  mayEdit: (layer: string) => boolean = () => false;
  /** Opens the form of the feature of the card. */
  onEdit: ((found: Found) => void) | undefined;
  /** Deletes the feature of the card. */
  onDelete: ((found: Found) => void) | undefined;

  /** Queries the nearest resources to the feature of the card. */
  onAsk: ((found: Found) => void) | undefined;

  /** Plans for the people in the area of the card. */
  onPlan: ((found: Found) => void) | undefined;
  /** Shows the surroundings of the feature of the card. */
  onAround: ((found: Found) => void) | undefined;
  /** Shows what can be reached by road. */
  onReach: ((found: Found) => void) | undefined;

  /** Further actions of a feature at the place of the card. */
  actionsOf: (found: Found, layer: Layer, at: LngLat) => HTMLElement[] = () => [];

  constructor(private readonly map: Map, private readonly catalog: Catalog) {
    this.#popup = new Popup({ closeButton: false, closeOnClick: false, maxWidth: "none", offset: 10, className: "card" });
    onLanguage(() => this.#draw());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#dismiss();
    });
  }

  /**
   * Several features under one click are shown one at a time.
   * @param returnFocus gives the focus back to where the card was opened
   */
  open(found: Found[], place: LngLat, returnFocus?: () => void): void {
    this.#found = found;
    this.#at = 0;
    if (found.length === 0) return this.close();
    this.#popup.setLngLat(place);
    this.#draw();
    // Opening gives the card the focus.
    if (this.#popup.isOpen()) this.#popup.getElement()?.querySelector<HTMLElement>("header button")?.focus();
    else this.#popup.addTo(this.map);
    this.#returnFocus = returnFocus;
  }

  /** Reloads the card after a change of its feature. */
  changed(layerId: string, ids: readonly string[] | undefined): void {
    const shown = this.#found[this.#at];
    const isOfReports = shown?.layer === "incidents" && layerId === reportLayer(this.catalog)?.id;
    if (isOfReports || (shown?.layer === layerId && (ids?.includes(shown.id) ?? true))) this.#draw();
  }

  close(): void {
    this.#request.abort();
    this.#found = [];
    this.#popup.remove();
    this.#returnFocus = undefined;
  }

  /** Closes the card by hand: by its button or Escape. What else closes it takes the focus itself. */
  #dismiss(): void {
    const returnFocus = this.#returnFocus;
    this.close();
    returnFocus?.();
  }

  #draw(): void {
    const found = this.#found[this.#at];
    const layer = this.catalog.layers.find((one) => one.id === found?.layer);
    if (!found || !layer) return;
    this.#request.abort();
    this.#request = new AbortController();
    const body = element("div", { class: "body", tabindex: 0, "aria-busy": "true" }, element("p", { class: "quiet" }, say("loading")));
    this.#popup.setDOMContent(element("article", { "data-feature": found.id, "aria-label": found.name },
      element("header", {},
        element("div", {}, element("h2", {}, found.name || found.id), element("p", { class: "quiet" }, pick(layer.title))),
        ...this.#leaf(), this.#button("×", "close", () => this.#dismiss())),
      body,
      ...this.actionsOf(found, layer, this.#popup.getLngLat()),
      ...(this.mayEdit(layer.id) ? [this.#editButtons(found)] : []),
      ...(layer.contacts.length > 0 ? [this.#contacts(layer, found)] : []),
      ...this.#reports(found),
      ...(this.onReach && layer.geometry === "point" ? [this.#reachButton(found)] : []),
      ...(this.onAsk ? [this.#askButton(found)] : [])));
    void this.#fill(body, layer, found, this.#request.signal);
  }

  async #fill(body: HTMLElement, layer: Layer, found: Found, signal: AbortSignal): Promise<void> {
    try {
      const { properties } = await item(layer.id, found.id, signal);
      body.replaceChildren(...this.#rows(layer, properties));
    } catch (error) {
      if (signal.aborted) return;
      body.replaceChildren(failed(error));
    }
    if (layer.id === "incidents") {
      try {
        body.append((await situationReports(this.catalog, found.id, signal)) ?? "");
      } catch (error) {
        if (signal.aborted) return;
        body.append(failed(error));
      }
    }
    body.setAttribute("aria-busy", "false");
    this.#keepInView();
  }

  #rows(layer: Layer, properties: Properties): HTMLElement[] {
    const shown = layer.fields.filter((field) => !APART.has(field.name) && !(field.name === "unit" && "value" in properties));
    const values = shown.map((field) => [field, fieldValue(field, properties, this.catalog.codes)] as const);
    const list = element("dl", {});
    for (const [field, value] of values) {
      if (value === undefined) continue;
      const shownValue = element("dd", {}, value);
      const colour = this.#colour(field, properties);
      if (colour) {
        const dot = element("span", { class: "dot", "aria-hidden": "true" });
        dot.style.background = colour;
        shownValue.prepend(dot);
      }
      list.append(element("dt", {}, pick(field.title)), shownValue);
    }
    const missing = values.filter(([, value]) => value === undefined).map(([field]) => pick(field.title));
    const foot = layer.fields
      .filter((field) => ["source", "confirmed_at", "updated_at"].includes(field.name))
      .flatMap((field) => {
        const value = properties[field.name];
        if (value === undefined || value === null) return [];
        return `${pick(field.title)} ${field.type === "datetime" ? time(String(value)) : String(value)}`;
      });
    return [
      list,
      ...(missing.length > 0 ? [element("p", { class: "quiet" }, say("notFilled"), missing.join(say("listComma")))] : []),
      ...(foot.length > 0 ? [element("footer", {}, ...foot.map((line) => element("p", {}, line)))] : []),
    ];
  }

  #colour(field: Field, properties: Properties): string | undefined {
    const codes = field.codes ? this.catalog.codes[field.codes] : undefined;
    return codes?.find((code) => code.code === properties[field.name])?.color;
  }

  #leaf(): HTMLElement[] {
    if (this.#found.length < 2) return [];
    const turn = (by: number) => () => {
      this.#at = (this.#at + by + this.#found.length) % this.#found.length;
      this.#draw();
    };
    return [element("span", { class: "leaf" },
      this.#button("‹", "previous", turn(-1)),
      `${this.#at + 1}/${this.#found.length}`,
      this.#button("›", "next", turn(1)))];
  }

  #reachButton(found: Found): HTMLElement {
    const button = element("button", { type: "button", class: "link reach-here" }, say("reachByRoad"));
    button.addEventListener("click", () => this.onReach?.(found));
    return element("p", { class: "actions reports" }, button);
  }

  /** Printable pages about a feature. */
  #reports({ layer, id, name }: Found): HTMLElement[] {
    const link = (path: string) => element("a", { class: "link", target: "_blank", rel: "noopener", href: path }, say("alertPage"));
    if (!["incidents", "warnings", "risk_zones"].includes(layer)) return [];
    const around = element("button", { type: "button", class: "link around-here" }, say("printBrief"));
    around.addEventListener("click", () => this.onAround?.({ layer, id, name }));
    const plan = element("button", { type: "button", class: "link plan-here" }, say("planTitle"));
    plan.addEventListener("click", () => this.onPlan?.({ layer, id, name }));
    return [element("p", { class: "actions reports" },
      ...(this.onPlan ? [plan] : []),
      ...(layer === "warnings" ? [link(`api/alerts/${encodeURIComponent(id)}?f=html&lang=${language()}`)] : []),
      around)];
  }

  #askButton(found: Found): HTMLElement {
    const ask = element("button", { type: "button", class: "wide ask" }, say("askHere"));
    ask.addEventListener("click", () => this.onAsk?.(found));
    return element("p", { class: "actions" }, ask);
  }

  #editButtons(found: Found): HTMLElement {
    const button = (word: "edit" | "delete", kind: string, act: ((found: Found) => void) | undefined) => {
      const made = element("button", { type: "button", class: `wide ${kind}` }, say(word));
      made.addEventListener("click", () => act?.(found));
      return made;
    };
    return element("p", { class: "actions pair" }, button("edit", "start-edit", this.onEdit), button("delete", "start-delete", this.onDelete));
  }

  /** On narrow screens the card lies at the bottom: moves the map until the place is in the part above it. */
  #uncover(height: number): void {
    const { x, y } = this.map.project(this.#popup.getLngLat());
    const width = this.map.getContainer().clientWidth;
    const isSeen = x > MARGIN_PX && x < width - MARGIN_PX && y > MARGIN_PX && y < height - MARGIN_PX;
    if (!isSeen && height > 2 * MARGIN_PX) this.map.panBy([x - width / 2, y - height / 2], { duration: 200 });
  }

  /** Moves the map until the whole card is visible, because its content grows after it is placed. */
  #keepInView(): void {
    if (this.map.isMoving()) {
      this.map.once("moveend", () => this.#keepInView());
      return;
    }
    const card = this.#popup.getElement()?.getBoundingClientRect();
    if (!card) return;
    const room = this.map.getContainer().getBoundingClientRect();
    if (getComputedStyle(this.#popup.getElement()!).position === "fixed") {
      this.#uncover(Math.min(room.height, card.top - room.top));
      return;
    }
    const beyond = (low: number, high: number, from: number, to: number) => (high > to ? high - to + MARGIN_PX : low < from ? low - from - MARGIN_PX : 0);
    const [x, y] = [beyond(card.left, card.right, room.left, room.right), beyond(card.top, card.bottom, room.top, room.bottom)];
    if (x !== 0 || y !== 0) this.map.panBy([x, y], { duration: 200 });
  }

  /** Shows names and phones after a reason was given. */
  #contacts(layer: Layer, found: Found): HTMLElement {
    const box = element("div", { class: "contacts" });
    const open = element("button", { type: "button", class: "wide" }, say("showContacts"));
    open.addEventListener("click", () => {
      const reason = element("input", { name: "reason", required: true, maxlength: 500 });
      const note = element("p", { class: "failed", role: "alert" });
      const form = element("form", {}, element("label", {}, say("whyContacts"), reason),
        element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, say("confirm"))), note);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        reveal(layer.id, found.id, reason.value).then(
          (values) => box.replaceChildren(element("dl", {}, ...layer.contacts.flatMap(({ name, title }) =>
            [element("dt", {}, pick(title)), element("dd", {}, String(values[name] ?? say("notRecorded")))]))),
          (error: unknown) => (note.textContent = error instanceof Error ? error.message : String(error)));
      });
      box.replaceChildren(form);
      reason.focus();
    });
    box.append(open);
    return box;
  }

  #button(sign: string, word: "close" | "previous" | "next", action: () => void): HTMLButtonElement {
    const button = element("button", { type: "button", "aria-label": say(word), title: say(word) }, sign);
    button.addEventListener("click", action);
    return button;
  }
}

/** Why something could not be loaded. */
function failed(error: unknown): HTMLElement {
  return element("p", { class: "failed" }, say("askFailed"), error instanceof ServerError ? error.message : String(error));
}
