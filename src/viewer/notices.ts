// Notices of current problems at the top of the page, shown until they are resolved.
import { element, part } from "./element";
import { onLanguage, say } from "./language";
import type { Word } from "./words";

type Notice = { word: Word; detail: () => string; retry?: () => void };

/** At most one notice of each kind. */
const current = new Map<string, Notice>();
let started = false;

export function notice(kind: string, word: Word, detail: () => string = () => "", retry?: () => void): void {
  current.set(kind, { word, detail, retry });
  draw();
}

export function settle(kind: string): void {
  if (current.delete(kind)) draw();
}

function draw(): void {
  if (!started) {
    started = true;
    onLanguage(draw);
    return;
  }
  part("notices").replaceChildren(...[...current].map(([kind, { word, detail, retry }]) => {
    const row = element("p", { class: "notice", "data-notice": kind }, element("span", {}, say(word), detail()));
    if (retry) {
      const again = element("button", { type: "button" }, say("retry"));
      again.addEventListener("click", retry);
      row.append(again);
    }
    return row;
  }));
}
