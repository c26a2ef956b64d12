// Says what was just stored, and takes it back on request, until something else is stored or the bar is closed.
import { element } from "./element";
import { say } from "./language";
import type { Word } from "./words";

export class LastEdit {
  readonly #bar = element("section", { id: "last-edit", hidden: true });
  /** Announced; the bar itself comes and goes. */
  readonly #text = element("p", { role: "status" });
  #undo: (() => Promise<void>) | undefined;

  constructor(stage: HTMLElement) {
    stage.append(this.#bar);
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || isTyping || !this.#undo) return;
      event.preventDefault();
      void this.#act();
    });
  }

  /** @param undo restores what was stored before */
  offer(word: Word, name: string, undo: () => Promise<void>): void {
    this.#undo = undo;
    const back = element("button", { type: "button", class: "undo", "aria-keyshortcuts": "Control+Z" }, say("undo"));
    back.addEventListener("click", () => void this.#act());
    this.#show(`${say(word)} ${name}`, back);
  }

  async #act(): Promise<void> {
    const undo = this.#undo;
    this.#undo = undefined;
    try {
      await undo?.();
      this.#show(say("undone"));
    } catch (error) {
      this.#show(`${say("notUndone")}${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #show(text: string, ...actions: HTMLElement[]): void {
    const close = element("button", { type: "button", class: "close", "aria-label": say("close") }, "×");
    close.addEventListener("click", () => {
      this.#undo = undefined;
      this.#bar.hidden = true;
    });
    this.#bar.hidden = false;
    this.#bar.replaceChildren(this.#text, ...actions, close);
    this.#text.textContent = text;
  }
}
