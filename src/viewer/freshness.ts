// Shows the freshness of the data: version and age in the header, a notice if the data is stale or the server
// unreachable.
import { catalog, ServerError, type Catalog, type Freshness as News } from "./api";
import { element, part } from "./element";
import { age } from "./format";
import { onLanguage, pick, say } from "./language";
import { notice, settle } from "./notices";

/** Bounds the time until a lost connection is told: the event stream does not tell it. */
const POLL_EVERY_MS = 10_000;
const RETRY_AFTER_MS = 5_000;
/** Delay that combines changes in quick succession. */
const SOON_MS = 500;

export class Freshness {
  #receivedAt = performance.now();
  #timer = 0;
  #reachable = true;
  #live = true;
  #pending = 0;

  constructor(private latest: Catalog, private readonly onNews: (catalog: Catalog, moved: boolean) => void) {
    onLanguage(() => this.#draw());
    if (latest.kept) this.#lose(latest);
    else this.#receive(latest);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.look();
    });
    for (const change of ["offline", "online"]) window.addEventListener(change, () => void this.look());
  }

  /** The version of the data that the page shows. */
  get version(): string {
    return this.latest.data_version;
  }

  /** Requests the catalog now and then at intervals. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const news = await catalog();
      if (news.kept) this.#lose(news);
      else this.#receive(news);
    } catch (error) {
      this.#lose(undefined, error instanceof ServerError && error.status > 0 ? ` (${error.message})` : "");
    }
  }

  /** The server cannot be reached; the reply is an earlier one. */
  #lose(kept: Catalog | undefined, detail = ""): void {
    this.#reachable = false;
    if (kept) {
      this.latest = kept;
      this.#receivedAt = performance.now();
    }
    if (kept) notice("unreachable", "keptNotice", () => this.#ageWords(), () => void this.look());
    else notice("unreachable", "unreachable", () => detail, () => void this.look());
    this.#draw();
    this.#schedule(RETRY_AFTER_MS);
  }

  /** Requests the catalog soon after a change, for new counts. */
  lookSoon(): void {
    this.#pending ||= window.setTimeout(() => {
      this.#pending = 0;
      void this.look();
    }, SOON_MS);
  }

  /** Takes the freshness from a server-sent event. */
  hear(news: News): void {
    this.latest = { ...this.latest, data_age_s: news.data_age_s, stale: news.stale };
    this.#receivedAt = performance.now();
    this.#updateNotices();
  }

  /** Sets whether the event stream is connected. */
  live(live: boolean): void {
    this.#live = live;
    this.#draw();
  }

  #receive(news: Catalog): void {
    const moved = news.data_version !== this.latest.data_version || !this.#reachable;
    this.#reachable = true;
    this.latest = news;
    this.#receivedAt = performance.now();
    settle("unreachable");
    this.#updateNotices();
    this.onNews(news, moved);
    this.#schedule(POLL_EVERY_MS);
  }

  #updateNotices(): void {
    if (this.latest.stale) notice("stale", "staleNotice", () => this.#ageWords());
    else settle("stale");
    // The notice of a stale snapshot already covers all layers.
    const unavailable = this.latest.stale ? [] : Object.entries(this.latest.unavailable ?? {});
    if (unavailable.length > 0) notice("unavailable", "unavailableNotice", () => unavailable.map(([id, { age_s }]) => {
      const layer = this.latest.layers.find((one) => one.id === id);
      return `${layer ? pick(layer.title) : id} (${this.#agoWords(age_s)})`;
    }).join(say("listComma")));
    else settle("unavailable");
    this.#draw();
  }

  #schedule(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.look(), afterMs);
  }

  #ageWords(): string {
    return this.#agoWords(this.latest.data_age_s);
  }

  /** The current value of an age in the last reply. */
  #agoWords(atReply: number): string {
    const seconds = atReply + (performance.now() - this.#receivedAt) / 1000;
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
