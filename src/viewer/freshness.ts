// Watches how fresh the server's data is: version and age in the header, a notice when stale or out of reach.
import { catalog, ServerError, type Catalog } from "./api";
import { element, part } from "./element";
import { age } from "./format";
import { onLanguage, say } from "./language";
import { notice, settle } from "./notices";

const LOOK_EVERY_MS = 30_000;
const RETRY_AFTER_MS = 5_000;

export class Freshness {
  #heardAt = performance.now();
  #timer = 0;
  #reachable = true;

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

  #heard(news: Catalog): void {
    const moved = news.data_version !== this.latest.data_version || !this.#reachable;
    this.#reachable = true;
    this.latest = news;
    this.#heardAt = performance.now();
    settle("unreachable");
    if (news.stale) notice("stale", "staleNotice", () => this.#ageWords());
    else settle("stale");
    this.#draw();
    this.onNews(news, moved);
    this.#again(LOOK_EVERY_MS);
  }

  #again(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.look(), afterMs);
  }

  #ageWords(): string {
    const seconds = this.latest.data_age_s + (performance.now() - this.#heardAt) / 1000;
    return `${age(seconds)}${say("ago") === "前" ? "" : " "}${say("ago")}`;
  }

  #draw(): void {
    const bad = this.latest.stale || !this.#reachable;
    const status = part("data-status");
    status.classList.toggle("bad", bad);
    status.replaceChildren(
      element("span", { class: "lamp", "aria-hidden": "true" }),
      element("span", { class: "version" }, `${say("dataVersion")} ${this.latest.data_version}`),
      element("span", { class: "age" }, bad ? `${say("stale")} · ${this.#ageWords()}` : this.#updated()));
  }

  #updated(): string {
    return this.latest.data_age_s < 60 ? say("justNow") : `${say("updatedAgo")} ${this.#ageWords()}`;
  }
}
