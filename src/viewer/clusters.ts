// The card of a cluster: number of features of each level, totals, and the members in pages.
import { Popup, type LngLat, type Map, type MapGeoJSONFeature } from "maplibre-gl";
import { clusterMembers, ServerError, type Catalog, type ClusterPage, type Layer } from "./api";
import { element } from "./element";
import { codeLabel, number } from "./format";
import { onLanguage, pick, say } from "./language";
import type { Found } from "./popup";

export type Cluster = { layer: string; id: number; count: number; bounds: [number, number, number, number] };

const PAGE = 50;

/** The cluster that a style layer drew; undefined for anything else. */
export function clusterOf(layer: string, hit: MapGeoJSONFeature): Cluster | undefined {
  const { cluster, count, bbox } = hit.properties;
  const bounds = String(bbox).split(",").map(Number);
  if (!cluster || bounds.length !== 4 || typeof hit.id !== "number") return undefined;
  return { layer, id: hit.id, count: Number(count), bounds: bounds as Cluster["bounds"] };
}

export class ClusterCard {
  readonly #popup: Popup;
  #shown: Cluster | undefined;
  #request = new AbortController();

  constructor(
    private readonly map: Map,
    private readonly catalog: Catalog,
    private readonly openMember: (found: Found, place: LngLat) => void,
  ) {
    this.#popup = new Popup({ closeButton: false, closeOnClick: false, maxWidth: "none", offset: 10, className: "card" });
    onLanguage(() => this.#draw());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  open(cluster: Cluster, place: LngLat): void {
    this.#shown = cluster;
    this.#popup.setLngLat(place);
    this.#draw();
    if (!this.#popup.isOpen()) this.#popup.addTo(this.map);
  }

  close(): void {
    this.#request.abort();
    this.#shown = undefined;
    this.#popup.remove();
  }

  #draw(): void {
    const cluster = this.#shown;
    const layer = this.catalog.layers.find((one) => one.id === cluster?.layer);
    if (!cluster || !layer) return;
    this.#request.abort();
    this.#request = new AbortController();
    const close = element("button", { type: "button", "aria-label": say("close"), title: say("close") }, "×");
    close.addEventListener("click", () => this.close());
    const zoom = element("button", { type: "button", class: "wide" }, say("zoomToMembers"));
    zoom.addEventListener("click", () => this.#zoomTo(cluster));
    const title = `${pick(layer.title)} · ${number(cluster.count)} ${say("features")}`;
    const body = element("div", { class: "body", tabindex: 0, "aria-busy": "true" }, element("p", { class: "quiet" }, say("loading")));
    this.#popup.setDOMContent(element("article", { "data-cluster": cluster.id, "aria-label": title },
      element("header", {}, element("div", {}, element("h2", {}, title)), zoom, close), body));
    void this.#fill(body, layer, cluster, this.#request.signal);
  }

  async #fill(body: HTMLElement, layer: Layer, cluster: Cluster, signal: AbortSignal): Promise<void> {
    try {
      const page = await clusterMembers(layer.id, cluster.id, PAGE, undefined, signal);
      body.replaceChildren(this.#totals(layer, page), this.#members(layer, cluster, page, signal));
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof ServerError ? error.message : String(error);
      body.replaceChildren(element("p", { class: "failed" }, say("askFailed"), why));
    }
    body.setAttribute("aria-busy", "false");
    // Sets the position again, because the filled card may need another anchor.
    this.#popup.setLngLat(this.#popup.getLngLat());
  }

  /** Members of each level, worst first, and the sums of the catalog. */
  #totals(layer: Layer, page: ClusterPage): HTMLElement {
    const list = element("dl", {});
    const severity = layer.fields.find((field) => field.name === layer.clusters?.severity);
    const codes = severity?.codes ? this.catalog.codes[severity.codes] ?? [] : [];
    for (const code of severity ? [...codes.map(({ code }) => code), "unknown"] : []) {
      const count = Number(page[`${severity!.name}_${code}`] ?? 0);
      if (count === 0) continue;
      const name = element("dt", {}, code === "unknown" ? say("unknown") : codeLabel(codes, code));
      const colour = codes.find((one) => one.code === code)?.color;
      if (colour) {
        const dot = element("span", { class: "dot", "aria-hidden": "true" });
        dot.style.background = colour;
        name.prepend(dot);
      }
      list.append(name, element("dd", {}, number(count)));
    }
    for (const { name, title } of layer.clusters?.sums ?? []) {
      list.append(element("dt", {}, pick(title)), element("dd", {}, number(Number(page[name] ?? 0))));
    }
    return list;
  }

  #members(layer: Layer, cluster: Cluster, first: ClusterPage, signal: AbortSignal): HTMLElement {
    const list = element("ul", { class: "members" });
    const more = element("button", { type: "button", class: "wide" }, say("more"));
    let last: string | undefined;
    const add = (page: ClusterPage) => {
      for (const member of page.features) {
        const name = String(member.properties.name ?? member.id);
        const button = element("button", { type: "button", class: "wide" }, name);
        button.addEventListener("click", () => {
          const place = this.#popup.getLngLat();
          this.close();
          this.openMember({ layer: layer.id, id: member.id, name }, place);
        });
        list.append(element("li", {}, button));
        last = member.id;
      }
      more.hidden = page.links === undefined;
    };
    more.addEventListener("click", () => {
      clusterMembers(layer.id, cluster.id, PAGE, last, signal).then(add, (error: unknown) => {
        if (!signal.aborted) more.replaceWith(element("p", { class: "failed" }, say("askFailed"), String(error)));
      });
    });
    add(first);
    return element("div", {}, list, more);
  }

  #zoomTo(cluster: Cluster): void {
    const [west, south, east, north] = cluster.bounds;
    this.close();
    this.map.fitBounds([[west, south], [east, north]], { padding: 90, maxZoom: Math.min(this.map.getZoom() + 4, 16) });
  }
}
