// The evacuation plan of an area: which shelters take the people of which villages, as lines and a list that can be
// promised. It takes the place of the query panel.
import type { GeoJSONSource, LayerSpecification, Map as MapView, StyleSpecification } from "maplibre-gl";
import { allocate, allocationPage, allocationTable, type Allocation, type AllocationRequest } from "./api";
import type { Offer } from "./commitments";
import { element } from "./element";
import { distance, duration, number } from "./format";
import { onLanguage, pick, say } from "./language";
import { isNight } from "./question";
import { PanelRequest, type Panel } from "./panel";
import { saveFile } from "./save_file";
import { signOf } from "./signs";

const SOURCE = "plan";
const SHELTERS = "shelters";
const VILLAGES = "villages";
/** Everybody leaves a risk zone or the area of an incident; of the area of a warning, those at risk. */
const SHARES: Record<string, number> = { warnings: 10 };
const ALL = 100;

type Area = { layer: string; id: string; name: string };
type Way = "road" | "line";

export class PlanPanel {
  /** Promises the places of the plan to an incident or warning; undefined if this browser may not. */
  onCommit: ((offers: Offer[], incident: string) => void) | undefined;
  #area: Area | undefined;
  #percent = ALL;
  #night = false;
  #way: Way = "road";
  #plan: Allocation | undefined;
  readonly #request: PanelRequest;

  constructor(private readonly map: MapView, style: StyleSpecification, private readonly panel: Panel) {
    this.#request = new PanelRequest(panel, () => this.#draw());
    const colour = signOf(style, SHELTERS, { status: "standby" }).fill;
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const line: LayerSpecification = {
      id: "plan-line", type: "line", source: SOURCE, layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": colour, "line-opacity": 0.75, "line-width": ["interpolate", ["linear"], ["get", "amount"], 1, 1.5, 100, 3, 1000, 8] },
    };
    map.addLayer(line);
    onLanguage(() => this.#draw());
  }

  /** Plans for the people of an area. */
  async open(area: Area): Promise<void> {
    this.#area = area;
    this.#percent = SHARES[area.layer] ?? ALL;
    this.#night = isNight();
    this.panel.open(this.#leave);
    await this.#ask();
  }

  /** The panel is closed, or shows something else. */
  readonly #leave = (): void => {
    this.#request.abort();
    this.#area = undefined;
    this.#plan = undefined;
    this.map.getSource<GeoJSONSource>(SOURCE)?.setData({ type: "FeatureCollection", features: [] });
  };

  #body(area: Area): AllocationRequest {
    const inside = { layer: area.layer, id: area.id };
    return {
      layer: SHELTERS, night: this.#night, avoid: "warnings,incidents,any", ...(this.#way === "road" ? { by: "road" } : {}),
      demands: [{ each_of: VILLAGES, inside, share: this.#percent / ALL }],
    };
  }

  async #ask(): Promise<void> {
    const area = this.#area;
    if (!area) return;
    await this.#request.send((signal) => allocate(this.#body(area), signal), (plan) => {
      this.#plan = plan;
      this.map.getSource<GeoJSONSource>(SOURCE)?.setData({ type: "FeatureCollection", features: plan?.features ?? [] });
    });
  }

  #draw(): void {
    const area = this.#area;
    if (!area) return;
    this.panel.draw(say("planTitle"),
      this.panel.keep("plan", [area, this.#percent, this.#night, this.#way], () => element("div", { class: "question" }, element("p", { class: "where" }, element("strong", {}, area.name)), this.#conditions())),
      ...this.#request.told(this.#plan !== undefined), ...(this.#plan ? this.#result(area, this.#plan) : []));
  }

  #conditions(): HTMLElement {
    const percent = element("input", { type: "number", min: 1, max: ALL, step: 1, value: this.#percent, "data-field": "percent", "aria-label": say("planShare") });
    percent.addEventListener("change", () => {
      if (!percent.reportValidity() || percent.value === "") return;
      this.#percent = Number(percent.value);
      void this.#ask();
    });
    const chip = (name: string, label: string, checked: boolean, act: (on: boolean) => void) => {
      const box = element("input", { type: "checkbox", checked, "data-field": name });
      box.addEventListener("change", () => {
        act(box.checked);
        void this.#ask();
      });
      return element("label", { class: "chip" }, box, element("span", {}, label));
    };
    return element("div", { class: "chips plan-conditions" },
      element("label", {}, say("planShare"), " ", percent, " %"),
      chip("night", say("overNight"), this.#night, (on) => (this.#night = on)),
      chip("road", say("byRoad"), this.#way === "road", (on) => (this.#way = on ? "road" : "line")));
  }

  #result(area: Area, plan: Allocation): HTMLElement[] {
    const { totals } = plan;
    const needed = plan.demands.reduce((sum, demand) => sum + demand.amount, 0);
    const cost = (metres: number | null | undefined, seconds: number | null | undefined) =>
      seconds !== undefined && seconds !== null ? duration(seconds) : metres === undefined || metres === null ? say("unknown") : distance(metres);
    const covered = totals.served === needed;
    const summary = element("div", { class: covered ? "plan covered" : "plan short", role: "status" },
      element("p", { class: "verdict" }, `${say("planServed")} ${number(totals.served)} / ${number(needed)} ${say("persons")}`),
      ...(totals.served > 0
        ? [element("p", { class: "quiet" }, `${say("planMean")} ${cost(totals.mean_m, totals.mean_s)}${say("listComma")}${say("planWorst")} ${cost(totals.worst_m, totals.worst_s)}`)] : []),
      ...(plan.relief ? [element("p", { class: "quiet" }, pick(plan.relief))] : []));
    const left = plan.demands.filter(({ unserved }) => unserved > 0);
    return [
      summary,
      element("p", { class: "actions plan-actions" }, ...this.#actions(area, plan)),
      ...this.#shelters(plan),
      ...(left.length > 0
        ? [element("details", { class: "excluded", open: totals.served === 0 },
          element("summary", {}, `${say("planUnserved")} ${number(left.length)}`),
          element("ul", {}, ...left.map(({ name, id, unserved, reason }) => element("li", {},
            element("span", { class: "name" }, name ?? id), element("span", { class: "far" }, `${number(unserved)} ${say("persons")}`),
            element("span", { class: "reasons" }, reason ? pick(reason) : "")))))] : []),
    ];
  }

  #actions(area: Area, plan: Allocation): HTMLElement[] {
    const table = element("button", { type: "button", class: "link" }, say("planTable"));
    table.addEventListener("click", () => void allocationTable(this.#body(area)).then((blob) => saveFile(blob, `${area.name}.csv`), (error: unknown) => (table.textContent = String(error instanceof Error ? error.message : error))));
    const print = element("a", { class: "link", target: "_blank", rel: "noopener", href: allocationPage(this.#body(area)) }, say("print"));
    const isEvent = area.layer === "warnings" || area.layer === "incidents";
    if (!this.onCommit || !isEvent || plan.features.length === 0) return [table, print];
    const commit = element("button", { type: "button", class: "commit" }, say("commitAll"));
    commit.addEventListener("click", () => this.onCommit?.(offersOf(plan, this.#night), area.id));
    return [commit, table, print];
  }

  /** Each shelter with the villages that it takes. */
  #shelters(plan: Allocation): HTMLElement[] {
    const groups = byShelter(plan);
    if (groups.size === 0) return [];
    return [element("section", { "data-layer": SHELTERS }, element("ol", { class: "plan-list" }, ...[...groups.values()].map((own) => {
      const [first] = own;
      const total = own.reduce((sum, { properties }) => sum + properties.amount, 0);
      const villages = own.map(({ properties: { demand_name: name, demand, amount, distance_m: metres, duration_s: seconds } }) =>
        `${name ?? demand} ${number(amount)} ${say("persons")}, ${seconds === undefined ? distance(metres) : duration(seconds)}`);
      return element("li", { "data-id": first!.properties.resource },
        element("span", { class: "name" }, first!.properties.resource_name ?? first!.properties.resource),
        element("span", { class: "far" }, `${number(total)} ${say("persons")}`),
        element("span", { class: "facts" }, ...villages.map((text) => element("span", { class: "fact" }, text))));
    })))];
  }
}

/** The lines of the plan by shelter. */
function byShelter({ features }: Allocation): Map<string, Allocation["features"]> {
  const groups = new Map<string, Allocation["features"]>();
  for (const feature of features) {
    const { resource } = feature.properties;
    groups.set(resource, [...(groups.get(resource) ?? []), feature]);
  }
  return groups;
}

/** What the plan takes of each shelter. */
function offersOf(plan: Allocation, night: boolean): Offer[] {
  const groups = byShelter(plan);
  return [...groups].map(([id, own]) => ({
    layer: SHELTERS, id, name: own[0]!.properties.resource_name ?? id, people: own.reduce((sum, { properties }) => sum + properties.amount, 0), night,
  }));
}
