// The situation panel: incidents and warnings with level, state and age; a click moves the map there; ended ones come
// last.
import { LngLat, type Map } from "maplibre-gl";
import { peopleIn, type Catalog } from "./api";
import { element, part } from "./element";
import { age, codeLabel, codeOf, number, time } from "./format";
import { boundsOf } from "./geometry";
import { onLanguage, pick, say } from "./language";
import type { Card } from "./popup";
import { isOver, SITUATION_LAYERS, type Occurrence, type Situation } from "./situation";

const CLOSE_UP_ZOOM = 13;
/** Levels are also shown as Roman numerals, for users who cannot distinguish the colours. */
const GRADES = ["–", "I", "II", "III", "IV"];
/** Maximum number of ended ones in the timeline. */
const MOST_PAST = 50;
/** Maximum number of warnings whose people are counted. */
const COUNTED = 8;

export class SituationPanel {
  #all: readonly Occurrence[] = [];
  #failed = false;
  #pastOpen = false;
  #marked: string | undefined;
  /** People in the area of a warning, by id and version. */
  readonly #people = new globalThis.Map<string, number | undefined>();

  constructor(
    private readonly map: Map,
    private readonly catalog: Catalog,
    private readonly card: Card,
    situation: Situation,
    private readonly onPeople: (most: { people: number; isExact: boolean } | undefined) => void,
  ) {
    situation.onChange((all) => {
      this.#all = all;
      this.#draw();
      void this.#count();
    });
    onLanguage(() => this.#draw());
  }

  failed(failed: boolean): void {
    this.#failed = failed;
    this.#draw();
  }

  /** Moves the map to its extent and opens its card. */
  show(one: Occurrence): void {
    const bounds = boundsOf(one.geometry);
    if (!bounds) return;
    this.frame(one);
    const [west, south, east, north] = bounds;
    this.card.open([{ layer: one.layer, id: one.id, name: one.name }], new LngLat((west + east) / 2, (south + north) / 2));
  }

  /** Moves the map to its extent. */
  frame(one: Occurrence): void {
    const bounds = boundsOf(one.geometry);
    if (!bounds) return;
    const [west, south, east, north] = bounds;
    if (west === east && south === north) this.map.flyTo({ center: [west, south], zoom: CLOSE_UP_ZOOM });
    else this.map.fitBounds(bounds, { padding: 70, maxZoom: CLOSE_UP_ZOOM });
  }

  /** Marks the one that the map is showing. */
  mark(one: Occurrence | undefined): void {
    this.#marked = one && version(one);
    for (const row of part("occurrences").querySelectorAll<HTMLElement>("[data-version]")) {
      if (row.dataset.version === this.#marked) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  /** Level, name, state and age as large text. */
  caption(one: Occurrence): HTMLElement[] {
    return [this.#grade(one), element("p", { class: "name" }, one.name),
      element("p", { class: "state" }, [this.stateWords(one), ageWords(one), this.#peopleWords(one)].filter(Boolean).join(" · "))];
  }

  #draw(): void {
    const running = this.#all.filter((one) => !isOver(one));
    const past = this.#all.filter(isOver);
    const groups = SITUATION_LAYERS.filter((layer) => this.catalog.layers.some(({ id }) => id === layer)).map((layer) => {
      const own = running.filter((one) => one.layer === layer);
      return element("section", { "data-situation": layer },
        element("h3", {}, say(layer === "incidents" ? "runningIncidents" : "validWarnings"),
          element("span", { class: own.length > 0 ? "tally some" : "tally" }, number(own.length))),
        own.length === 0
          ? element("p", { class: "quiet" }, say(layer === "incidents" ? "noIncidents" : "noWarnings"))
          : element("ul", {}, ...own.map((one) => this.#row(one))));
    });
    const over = element("details", { class: "past", open: this.#pastOpen },
      element("summary", {}, say("overOrExpired"), element("span", { class: "tally" }, number(past.length))),
      ...byDay(past.slice(0, MOST_PAST)).map(([day, those]) => element("section", { class: "day" },
        element("h4", {}, day), element("ul", {}, ...those.map((one) => this.#row(one))))));
    over.addEventListener("toggle", () => (this.#pastOpen = over.open));
    const focused = document.activeElement?.closest<HTMLElement>("#occurrences [data-id]")?.dataset.id;
    const box = part("occurrences");
    box.replaceChildren(
      ...(this.#failed ? [element("p", { class: "failed" }, say("situationFailed"))] : []),
      ...groups, ...(past.length > 0 ? [over] : []));
    if (focused) box.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  #row(one: Occurrence): HTMLElement {
    const people = this.#peopleWords(one);
    const button = element("button", {
      type: "button", "data-id": one.id, "data-version": version(one), "aria-current": this.#marked === version(one) ? "true" : undefined, class: isOver(one) ? "over" : "",
    },
      this.#grade(one),
      element("span", { class: "name" }, one.name),
      element("span", { class: "state" }, this.stateWords(one)),
      element("span", { class: "when" }, ageWords(one)),
      one.layer === "incidents" && !isOver(one) ? this.#reports(one) : undefined,
      people === undefined ? undefined : element("span", { class: "inside" }, people));
    button.addEventListener("click", () => this.show(one));
    return element("li", {}, button);
  }

  #grade(one: Occurrence): HTMLElement {
    const grade = codeOf(this.catalog.codes.incident_grade, one.severity);
    const level = element("span", { class: "grade", title: grade ? pick(grade) : say("unknown") },
      element("span", { "aria-hidden": "true" }, GRADES[one.severity ?? 0] ?? "–"),
      element("span", { class: "unseen" }, grade ? pick(grade) : say("unknown")));
    level.dataset.grade = String(one.severity ?? 0);
    if (!isOver(one) && grade?.color) level.style.setProperty("--grade", grade.color);
    return level;
  }

  /** The reports of an incident in their order; those up to the current one are filled. */
  #reports(one: Occurrence): HTMLElement | undefined {
    const reports = this.catalog.codes.report_kind ?? [];
    const current = reports.findIndex(({ code }) => code === one.report);
    if (current < 0) return undefined;
    return element("span", { class: "reports-made", "aria-hidden": "true" },
      ...reports.map((report, at) => element("span", { class: at < current ? "made" : at === current ? "made current" : "" }, pick(report))));
  }

  #peopleWords(one: Occurrence): string | undefined {
    const people = this.#people.get(version(one));
    return people === undefined || isOver(one) ? undefined : `${say("peopleInside")} ${number(people)} ${say("persons")}`;
  }

  /** State and report: "处置中 · 续报". */
  stateWords(one: Occurrence): string {
    const status = codeLabel(this.catalog.codes[one.layer === "incidents" ? "incident_status" : "warning_status"], one.status);
    const report = one.report && !isOver(one) ? codeLabel(this.catalog.codes.report_kind, one.report) : undefined;
    return [one.expired ? `${say("expired")} (${status})` : status, report].filter(Boolean).join(" · ");
  }

  /** Counts people in the areas of valid warnings. Areas may overlap, so several give a lower bound and not a sum. */
  async #count(): Promise<void> {
    const valid = this.#all.filter((one) => one.layer === "warnings" && !isOver(one));
    const todo = valid.slice(0, COUNTED).filter((one) => !this.#people.has(version(one)));
    await Promise.all(todo.map(async (one) => {
      try {
        this.#people.set(version(one), await peopleIn("warning", one.id));
      } catch {
        // Failed requests are omitted.
      }
    }));
    const known = valid.flatMap((one) => this.#people.get(version(one)) ?? []);
    this.onPeople(known.length === 0 ? undefined : { people: Math.max(...known), isExact: valid.length === 1 });
    if (todo.length > 0) this.#draw();
  }
}

function version(one: Occurrence): string {
  return `${one.layer}/${one.id}/${String(one.properties.version)}/${String(one.properties.updated_at)}`;
}

/** Ended ones by the day of their start in Beijing time, latest first. */
function byDay(past: readonly Occurrence[]): [string, Occurrence[]][] {
  const days = new globalThis.Map<string, Occurrence[]>();
  for (const one of past) {
    const day = one.startedAt === undefined ? say("unknown") : time(new Date(one.startedAt).toISOString()).slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), one]);
  }
  return [...days];
}

/** Time since its start, or the time of its end. */
export function ageWords(one: Occurrence): string {
  if (isOver(one)) {
    const end = one.expiresAt ?? one.startedAt;
    return end === undefined ? "" : time(new Date(end).toISOString());
  }
  if (one.startedAt === undefined) return say("unknown");
  const seconds = (Date.now() - one.startedAt) / 1000;
  if (seconds < 0) return `${say("from")} ${time(new Date(one.startedAt).toISOString())}`;
  return seconds < 60 ? say("justBegun") : `${age(seconds)}${say("ago") === "前" ? "" : " "}${say("ago")}`;
}
