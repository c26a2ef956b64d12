// Subscribes to changes on the server, resumes after interruptions, and reports the state of the connection.
import type { Freshness } from "./api";

/** West, south, east, north in degrees. */
export type Box = [number, number, number, number];
/** The changes of one layer; without ids if there are too many. */
export type Change = { data_version: string; layer: string; count: number; ids?: string[]; boxes: Box[] };

export type EventHandler = {
  change(change: Change): void;
  /** The changes are unknown: anything may have changed. */
  reset(): void;
  freshness(news: Freshness): void;
  /** A stream begins that tells no earlier changes. */
  begun(news: Freshness): void;
  /** Whether the stream is connected; may be called without a change. */
  connection(up: boolean): void;
};

const RETRY_AFTER_MS = 5_000;

export class Events {
  #source: EventSource | undefined;
  #last = "";
  #timer = 0;
  #up = false;

  constructor(private readonly handler: EventHandler) {
    // Browsers limit the connections to one server, so a hidden page closes its stream.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    if (!document.hidden) this.#open();
  }

  get isConnected(): boolean {
    return this.#up;
  }

  #open(): void {
    this.#close();
    let isResumed = this.#last !== "";
    const source = new EventSource(`api/events${this.#last ? `?last_event_id=${encodeURIComponent(this.#last)}` : ""}`);
    this.#source = source;
    const on = <Data>(name: string, act: (data: Data) => void) =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId) this.#last = event.lastEventId;
        act(JSON.parse(event.data) as Data);
      });
    on<Freshness>("hello", (news) => {
      this.#up = true;
      this.handler.connection(true);
      this.handler.freshness(news);
      if (!isResumed) this.handler.begun(news);
      isResumed = true;
    });
    on<Change>("change", (change) => this.handler.change(change));
    on<Freshness>("reset", (news) => {
      this.handler.freshness(news);
      this.handler.reset();
    });
    on<Freshness>("freshness", (news) => this.handler.freshness(news));
    source.addEventListener("error", () => {
      this.#up = false;
      this.handler.connection(false);
      // The browser reconnects after a lost connection, but not after a refused one.
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
