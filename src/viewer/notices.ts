// Notices of current problems at the top of the page, shown until they are resolved.
import { element, part } from "./element";
import { onLanguage, say } from "./language";
import type { Word } from "./words";

/** A button of a notice. */
export type NoticeAction = { word: Word; act: () => void };
type Notice = { word: Word; detail: () => string; actions: NoticeAction[] };

/** At most one notice of each kind. */
const current = new Map<string, Notice>();
let started = false;

export function notice(kind: string, word: Word, detail: () => string = () => "", retry?: () => void): void {
  noticeWith(kind, word, retry ? [{ word: "retry", act: retry }] : [], detail);
}

export function noticeWith(kind: string, word: Word, actions: NoticeAction[], detail: () => string = () => ""): void {
  current.set(kind, { word, detail, actions });
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
  part("notices").replaceChildren(...[...current].map(([kind, { word, detail, actions }]) => {
    const row = element("p", { class: "notice", "data-notice": kind }, element("span", {}, say(word), detail()));
    for (const { word: action, act } of actions) {
      const button = element("button", { type: "button" }, say(action));
      button.addEventListener("click", act);
      row.append(button);
    }
    return row;
  }));
}
