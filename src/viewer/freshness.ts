// Watches how fresh the server's data is: version and age in the header, a notice when stale or out of reach.
import { catalog, ServerError, type Catalog, type Freshness as News } from "./api";
import { element, part } from "./element";
import { age } from "./format";
import { onLanguage, pick, say } from "./language";
import { notice, settle } from "./notices";

const LOOK_EVERY_MS = 30_000;
const RETRY_AFTER_MS = 5_000;
/** Changes that come in quick succession are counted once. */
const SOON_MS = 500;

export class Freshness {
  #heardAt = performance.now();
  #timer = 0;
  #reachable = true;
  #live = true;
  #soon = 0;

  constructor(private latest: Catalog, private readonly onNews: (catalog: Catalog, moved: boolean) => void) {
    onLanguage(() => this.#draw());
    this.#heard(latest);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.look();
    });
  }

  /** Asks now; afterwards again and again. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.#heard(await catalog());
    } catch (error) {
      this.#reachable = false;
      const said = error instanceof ServerError && error.status > 0 ? ` (${error.message})` : "";
      notice("unreachable", "unreachable", () => said, () => void this.look());
      this.#draw();
      this.#again(RETRY_AFTER_MS);
    }
  }

  /** Asks shortly: something changed, and the counts with it. */
  lookSoon(): void {
    this.#soon ||= window.setTimeout(() => {
      this.#soon = 0;
      void this.look();
    }, SOON_MS);
  }

  /** Takes what the server said by itself. */
  hear(news: News): void {
    this.latest = { ...this.latest, data_age_s: news.data_age_s, stale: news.stale };
    this.#heardAt = performance.now();
    this.#judge();
  }

  /** Whether changes are heard of as they happen. */
  live(live: boolean): void {
    this.#live = live;
    this.#draw();
  }

  #heard(news: Catalog): void {
    const moved = news.data_version !== this.latest.data_version || !this.#reachable;
    this.#reachable = true;
    this.latest = news;
    this.#heardAt = performance.now();
    settle("unreachable");
    this.#judge();
    this.onNews(news, moved);
    this.#again(LOOK_EVERY_MS);
  }

  #judge(): void {
    if (this.latest.stale) notice("stale", "staleNotice", () => this.#ageWords());
    else settle("stale");
    // A store that is out of reach is told already, for all layers.
    const unavailable = this.latest.stale ? [] : Object.entries(this.latest.unavailable ?? {});
    if (unavailable.length > 0) notice("unavailable", "unavailableNotice", () => unavailable.map(([id, { age_s }]) => {
      const layer = this.latest.layers.find((one) => one.id === id);
      return `${layer ? pick(layer.title) : id} (${this.#agoWords(age_s)})`;
    }).join(say("listComma")));
    else settle("unavailable");
    this.#draw();
  }

  #again(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.look(), afterMs);
  }

  #ageWords(): string {
    return this.#agoWords(this.latest.data_age_s);
  }

  /** An age at the last reply, as it is now. */
  #agoWords(atReply: number): string {
    const seconds = atReply + (performance.now() - this.#heardAt) / 1000;
    return `${age(seconds)}${say("ago") === "前" ? "" : " "}${say("ago")}`;
  }

  #draw(): void {
    const bad = this.latest.stale || !this.#reachable;
    const status = part("data-status");
    status.classList.toggle("bad", bad || !this.#live);
    status.replaceChildren(
      element("span", { class: "lamp", "aria-hidden": "true" }),
      element("span", { class: "version" }, `${say("dataVersion")} ${this.latest.data_version}`),
      element("span", { class: "age" }, bad ? `${say("stale")} · ${this.#ageWords()}` : this.#live ? this.#updated() : say("notLive")));
  }

  #updated(): string {
    return this.latest.data_age_s < 60 ? say("justNow") : `${say("updatedAgo")} ${this.#ageWords()}`;
  }
}
