// The language of the page: Chinese by default; the choice is stored, and changes are announced to listeners.
import { words, type Word } from "./words";

export type Language = "zh" | "en";
/** A text in both languages, as in replies of the server. */
export type Bilingual = { zh: string; en: string };

const KEPT_AS = "onemap.language";
const listeners: (() => void)[] = [];
let current: Language = atStart();
let title: Bilingual | undefined;

export function language(): Language {
  return current;
}

/** A text of the page in the current language. */
export function say(word: Word): string {
  if (word === "title" && title) return pick(title);
  return words[word][current === "zh" ? 0 : 1];
}

/** A text from the server in the current language. */
export function pick(text: Bilingual): string {
  return text[current] || text.zh;
}

/** The title of the map, from the server. */
export function setTitle(next: Bilingual): void {
  title = next;
  announce();
}

/** Translates units that are words; symbols such as "mm" and "m³" are not translated. */
export function unitWord(unit: string): string {
  return unit in words ? say(unit as Word) : unit;
}

export function setLanguage(next: Language): void {
  current = next;
  try {
    localStorage.setItem(KEPT_AS, next);
  } catch {
    // Without storage the language lasts until the page is closed.
  }
  announce();
}

/** Calls the listener now and at every change. */
export function onLanguage(listener: () => void): void {
  listeners.push(listener);
  listener();
}

/** Fills in the fixed texts of the page and starts its language button. */
export function startLanguage(button: HTMLButtonElement): void {
  button.addEventListener("click", () => setLanguage(current === "zh" ? "en" : "zh"));
  onLanguage(() => {
    document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
    document.title = say("title");
    button.textContent = current === "zh" ? "EN" : "中文";
    button.lang = current === "zh" ? "en" : "zh-CN";
    button.title = say("switchLanguage");
    button.setAttribute("aria-label", `${button.textContent}: ${say("switchLanguage")}`);
    for (const part of document.querySelectorAll<HTMLElement>("[data-word]")) {
      part.textContent = say(part.dataset.word as Word);
    }
    for (const part of document.querySelectorAll<HTMLElement>("[data-word-label]")) {
      const label = say(part.dataset.wordLabel as Word);
      part.setAttribute("aria-label", label);
      if (part.matches("button, .badge")) part.title = label;
    }
  });
}

function announce(): void {
  for (const listener of listeners) listener();
}

function atStart(): Language {
  const requested = new URLSearchParams(location.search).get("lang");
  if (requested === "en" || requested === "zh") return requested;
  try {
    return localStorage.getItem(KEPT_AS) === "en" ? "en" : "zh";
  } catch {
    return "zh";
  }
}
