// The list of what is in view, for keyboards and screen readers: layers with counts, and the features of one in pages, from
// the server, so that it is complete where the map shows clusters.
import { LngLat, type Map } from "maplibre-gl";
import { items, nextPage, type Catalog, type Item, type ItemsPage, type Layer } from "./api";
import { element } from "./element";
import { distance, fieldValue, number } from "./format";
import { nearestPlace, type LonLat } from "./geometry";
import { onLanguage, pick, say } from "./language";
import type { Panel } from "./panel";
import type { Card } from "./popup";

const PAGE = "50";
const GROUPS: Layer["group"][] = ["event", "rescue", "risk", "monitor", "base"];
/** Coded facts in a row. */
const MOST_FACTS = 3;

type Section = { layer: Layer; count: number; features: Item[]; next: ItemsPage | undefined };

export class ViewList {
  #isOpen = false;
  #sections: Section[] = [];
  #failure: string | undefined;
  /** The layers that are unfolded. */
  readonly #unfolded = new Set<string>();
  #request = new AbortController();

  /** @param isVisible whether the map shows a layer */
  constructor(
    private readonly map: Map, private readonly catalog: Catalog, private readonly panel: Panel, private readonly card: Card,
    private readonly isVisible: (layer: string) => boolean,
  ) {
    map.on("moveend", () => void this.changed());
    onLanguage(() => this.#draw());
    document.addEventListener("keydown", (event) => {
      if (event.altKey && event.code === "KeyL") {
        event.preventDefault();
        void this.open();
      }
    });
  }

  async open(): Promise<void> {
    this.#isOpen = true;
    this.#sections = [];
    this.panel.open(this.#leave);
    this.#draw();
    this.panel.element.querySelector<HTMLElement>("h2")?.focus();
    await this.changed();
  }

  /** Loads the list again after the view, the layers or their features changed. */
  async changed(): Promise<void> {
    if (!this.#isOpen) return;
    this.#request.abort();
    const request = new AbortController();
    this.#request = request;
    this.panel.busy = true;
    try {
      const layers = GROUPS.flatMap((group) => this.catalog.layers.filter((layer) => layer.group === group && this.isVisible(layer.id)).toReversed());
      const sections = await Promise.all(layers.map((layer) => this.#count(layer, request.signal)));
      const filled = sections.filter(({ count }) => count > 0);
      if (this.#unfolded.size === 0 && filled[0]) this.#unfolded.add(filled[0].layer.id);
      await Promise.all(filled.filter(({ layer }) => this.#unfolded.has(layer.id)).map((section) => this.#load(section, request.signal)));
      if (request.signal.aborted) return;
      this.#sections = filled;
      this.#failure = undefined;
    } catch (error) {
      if (request.signal.aborted) return;
      this.#failure = error instanceof Error ? error.message : String(error);
    }
    this.panel.busy = false;
    this.#draw();
  }

  readonly #leave = (): void => {
    this.#isOpen = false;
    this.#request.abort();
  };

  #box(): string {
    return this.map.getBounds().toArray().flat().map((degrees) => degrees.toFixed(6)).join(",");
  }

  async #count(layer: Layer, signal: AbortSignal): Promise<Section> {
    const { numberMatched: count } = await items(layer.id, { bbox: this.#box(), limit: "1", skipGeometry: "true", properties: "name" }, signal);
    return { layer, count, features: [], next: undefined };
  }

  /** The first page of a layer. */
  async #load(section: Section, signal: AbortSignal): Promise<void> {
    const { id, fields } = section.layer;
    const names = fields.filter((field) => field.name === "name" || (field.codes && field.tile)).map(({ name }) => name);
    const page = await items(id, { bbox: this.#box(), limit: PAGE, properties: names.join(",") }, signal);
    section.features = page.features as Item[];
    section.next = page;
  }

  async #unfold(section: Section, list: HTMLElement): Promise<void> {
    this.#unfolded.add(section.layer.id);
    if (section.features.length > 0) return;
    list.setAttribute("aria-busy", "true");
    await this.#attempt(list, () => this.#load(section, this.#request.signal));
    list.replaceWith(this.#rows(section));
  }

  async #more(section: Section, list: HTMLElement): Promise<void> {
    const page = section.next;
    const shown = section.features.length;
    await this.#attempt(list, async () => {
      const next = page && (await nextPage(section.layer.id, page, this.#request.signal));
      if (!next) return;
      section.features.push(...(next.features as Item[]));
      section.next = next;
    });
    const renewed = this.#rows(section);
    list.replaceWith(renewed);
    renewed.querySelectorAll<HTMLElement>("li button")[shown]?.focus();
  }

  async #attempt(list: HTMLElement, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!this.#request.signal.aborted) list.prepend(element("p", { class: "failed", role: "alert" }, say("askFailed"), error instanceof Error ? error.message : String(error)));
    }
  }

  #draw(): void {
    if (!this.#isOpen) return;
    const focused = document.activeElement instanceof HTMLElement && this.panel.element.contains(document.activeElement) ? document.activeElement : undefined;
    const mark = focused?.dataset.id ? `[data-id="${CSS.escape(focused.dataset.id)}"]` : focused?.matches("summary") ? `[data-layer="${focused.parentElement?.dataset.layer}"] > summary` : focused?.matches("h2") ? "h2" : undefined;
    const total = this.#sections.reduce((sum, { count }) => sum + count, 0);
    const { scrollTop } = this.panel.element;
    this.panel.draw(say("viewList"),
      element("p", { class: "quiet view-total", role: "status" }, this.panel.busy ? say("loading") : `${say("inView")} ${number(total)} ${say("features")}`),
      this.#failure === undefined ? undefined : element("p", { class: "failed", role: "alert" }, say("askFailed"), this.#failure),
      ...this.#sections.map((section) => this.#section(section)));
    this.panel.element.scrollTop = scrollTop;
    const heading = this.panel.element.querySelector("h2")!;
    heading.tabIndex = -1;
    if (mark) this.panel.element.querySelector<HTMLElement>(mark)?.focus();
  }

  #section(section: Section): HTMLElement {
    const { layer, count } = section;
    const list = this.#rows(section);
    const details = element("details", { class: "view-layer", "data-layer": layer.id, open: this.#unfolded.has(layer.id) },
      element("summary", {}, element("span", { class: "name" }, pick(layer.title)), element("span", { class: "count" }, number(count))),
      list);
    details.addEventListener("toggle", () => {
      if (details.open) void this.#unfold(section, details.querySelector<HTMLElement>(".view-rows")!);
      else this.#unfolded.delete(layer.id);
    });
    return details;
  }

  #rows(section: Section): HTMLElement {
    const { layer, count, features } = section;
    const { lng, lat } = this.map.getCenter();
    const rows = features.map((feature) => ({ feature, place: nearestPlace(feature.geometry, [lng, lat]) }))
      .map(({ feature, place }) => ({ feature, place, metres: place && new LngLat(...place).distanceTo(new LngLat(lng, lat)) }));
    // Only a complete list can be in order of distance.
    const isComplete = features.length === count;
    if (isComplete) rows.sort((a, b) => (a.metres ?? Infinity) - (b.metres ?? Infinity));
    const box = element("div", { class: "view-rows" },
      ...(isComplete || features.length === 0 ? [] : [element("p", { class: "quiet" }, `${number(features.length)} / ${number(count)}`)]),
      element("ul", {}, ...rows.map(({ feature, place, metres }) => element("li", {}, this.#row(layer, feature, place, metres)))));
    if (!isComplete && features.length > 0) {
      const more = element("button", { type: "button", class: "more" }, say("more"));
      more.addEventListener("click", () => void this.#more(section, box));
      box.append(more);
    }
    return box;
  }

  #row(layer: Layer, feature: Item, place: LonLat | undefined, metres: number | undefined): HTMLElement {
    const name = String(feature.properties.name ?? feature.id);
    const facts = layer.fields.filter(({ codes, tile }) => codes && tile).slice(0, MOST_FACTS)
      .flatMap((field) => fieldValue(field, feature.properties, this.catalog.codes) ?? []);
    const button = element("button", { type: "button", "data-id": `${layer.id}/${feature.id}` },
      element("span", { class: "name" }, name),
      element("span", { class: "far" }, metres === undefined ? "" : distance(metres)),
      element("span", { class: "facts" }, facts.join(" · ")));
    button.addEventListener("click", () => {
      const found = { layer: layer.id, id: feature.id, name };
      this.card.open([found], place ? new LngLat(...place) : this.map.getCenter(), () => {
        const own = this.panel.element.querySelector<HTMLElement>(`[data-id="${CSS.escape(`${layer.id}/${feature.id}`)}"]`);
        // The view may have moved meanwhile.
        (own ?? this.panel.element.querySelector<HTMLElement>(`[data-layer="${layer.id}"] > summary`))?.focus();
      });
    });
    return button;
  }
}
