// The tour of a wall screen: the map shows one running incident or warning after the other, then the whole county. Any
// input pauses it. `?tour=SECONDS` sets the time of each stop; 0 switches the tour off.
import type { LngLatBoundsLike, Map } from "maplibre-gl";
import { element, part } from "./element";
import { number } from "./format";
import { onLanguage, say } from "./language";
import { isOver, type Occurrence, type Situation } from "./situation";
import type { SituationPanel } from "./situation_panel";

const USUAL_STOP_S = 15;
const LONGEST_STOP_S = 3_600;
/** Time without input after which the tour goes on. */
const PAUSE_MS = 60_000;
const INPUTS = ["pointerdown", "wheel", "keydown", "touchstart"];

export class Tour {
  readonly #stopMs = stopSeconds() * 1_000;
  readonly #box = part("tour");
  #stops: readonly Occurrence[] = [];
  /** The current stop; undefined is the whole county, and the start. */
  #at: string | undefined;
  #isPaused = false;
  #next = 0;

  constructor(
    private readonly map: Map, private readonly county: LngLatBoundsLike, private readonly panel: SituationPanel, situation: Situation,
  ) {
    if (this.#stopMs === 0) return;
    situation.onChange((all) => {
      this.#stops = all.filter((one) => !isOver(one) && one.geometry !== null);
      if (this.#at !== undefined && !this.#stops.some((one) => key(one) === this.#at)) this.#at = undefined;
      this.#draw();
    });
    onLanguage(() => this.#draw());
    for (const input of INPUTS) document.addEventListener(input, () => this.#pause(), { capture: true, passive: true });
    // The map is drawn before it moves.
    void map.once("idle", () => this.#wait(this.#stopMs));
  }

  #wait(ms: number): void {
    window.clearTimeout(this.#next);
    this.#next = window.setTimeout(() => this.#go(), ms);
  }

  #pause(): void {
    this.#isPaused = true;
    this.#wait(PAUSE_MS);
    this.#draw();
  }

  /** Goes to the next stop. The map jumps instead of flying for users who prefer less motion. */
  #go(): void {
    this.#isPaused = false;
    const next = this.#stops[this.#stops.findIndex((one) => key(one) === this.#at) + 1];
    this.#at = next && key(next);
    if (next) this.panel.frame(next);
    else this.map.fitBounds(this.county, { padding: Math.min(40, Math.round(window.innerWidth / 20)) });
    this.#draw();
    this.#wait(this.#stopMs);
  }

  #draw(): void {
    const at = this.#stops.findIndex((one) => key(one) === this.#at);
    const stop = this.#stops[at];
    this.panel.mark(stop);
    this.#box.hidden = !stop && !this.#isPaused;
    this.#box.dataset.stop = this.#at ?? "";
    const place = stop ? `${number(at + 1)} / ${number(this.#stops.length)}` : undefined;
    this.#box.replaceChildren(
      ...(stop ? this.panel.caption(stop) : []),
      element("p", { class: "quiet" }, [place, this.#isPaused ? say("tourPaused") : undefined].filter(Boolean).join(" · ")));
  }
}

function key({ layer, id }: Occurrence): string {
  return `${layer}/${id}`;
}

function stopSeconds(): number {
  const given = new URLSearchParams(location.search).get("tour");
  const seconds = given === null || given.trim() === "" ? NaN : Number(given);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, LONGEST_STOP_S) : USUAL_STOP_S;
}
