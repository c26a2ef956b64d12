// Listens to what changes on the server, resumes where it left off, and says when it cannot hear.
import type { Freshness } from "./api";

/** West, south, east, north in degrees. */
export type Box = [number, number, number, number];
/** What changed in one layer; without ids when they are too many to be named. */
export type Change = { data_version: string; layer: string; count: number; ids?: string[]; boxes: Box[] };

export type Hearer = {
  change(change: Change): void;
  /** What happened is not known: anything may have changed. */
  reset(): void;
  freshness(news: Freshness): void;
  /** Whether changes are heard of; also called when it stays so. */
  connection(up: boolean): void;
};

const RETRY_AFTER_MS = 5_000;

export class Events {
  #source: EventSource | undefined;
  #last = "";
  #timer = 0;
  #up = false;

  constructor(private readonly hearer: Hearer) {
    // A browser opens few connections to one server, so a page that nobody sees gives its own back.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    if (!document.hidden) this.#open();
  }

  get areHeard(): boolean {
    return this.#up;
  }

  #open(): void {
    this.#close();
    const source = new EventSource(`api/events${this.#last ? `?last_event_id=${encodeURIComponent(this.#last)}` : ""}`);
    this.#source = source;
    const on = <Data>(name: string, act: (data: Data) => void) =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId) this.#last = event.lastEventId;
        act(JSON.parse(event.data) as Data);
      });
    on<Freshness>("hello", (news) => {
      this.#up = true;
      this.hearer.connection(true);
      this.hearer.freshness(news);
    });
    on<Change>("change", (change) => this.hearer.change(change));
    on<Freshness>("reset", (news) => {
      this.hearer.freshness(news);
      this.hearer.reset();
    });
    on<Freshness>("freshness", (news) => this.hearer.freshness(news));
    source.addEventListener("error", () => {
      this.#up = false;
      this.hearer.connection(false);
      // A lost connection is made again by the browser; a refused one is not.
      if (source.readyState === EventSource.CLOSED) this.#timer = window.setTimeout(() => this.#open(), RETRY_AFTER_MS);
    });
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
    this.#up = false;
  }
}
