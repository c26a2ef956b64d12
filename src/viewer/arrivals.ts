// Announces new and changed incidents and warnings: a toast for screen readers too, an optional sound, a button that
// shows the location.
import type { Catalog } from "./api";
import { element, part } from "./element";
import { codeOf } from "./format";
import { onLanguage, pick, say } from "./language";
import { isOver, type Arrival, type Occurrence, type Situation } from "./situation";
import { ageWords, type SituationPanel } from "./situation_panel";

const KEPT_AS = "onemap.sound";
/** Maximum number of toasts; the panel lists all. */
const MAX_TOASTS = 4;

export class Arrivals {
  #sound = atStart();
  #shown: Arrival[] = [];

  constructor(private readonly catalog: Catalog, private readonly panel: SituationPanel, situation: Situation) {
    const button = part<HTMLButtonElement>("sound");
    button.addEventListener("click", () => {
      this.#sound = !this.#sound;
      try {
        localStorage.setItem(KEPT_AS, this.#sound ? "on" : "off");
      } catch {
        // Without storage the setting lasts until the page is closed.
      }
      this.#drawSound(button);
      if (this.#sound) chime();
    });
    onLanguage(() => {
      this.#drawSound(button);
      this.#draw();
    });
    situation.onChange((all, arrivals) => {
      // A new message replaces older ones about the same occurrence.
      const updated = new Set(arrivals.map(({ occurrence }) => occurrence.id));
      this.#shown = this.#shown.filter(({ occurrence }) => !updated.has(occurrence.id) && all.some(({ id }) => id === occurrence.id));
      this.#shown = [...arrivals, ...this.#shown].slice(0, MAX_TOASTS);
      this.#draw();
      if (arrivals.length > 0 && this.#sound) chime();
    });
  }

  #draw(): void {
    const box = part("arrivals");
    const existing = new Map([...box.children].map((toast) => [(toast as HTMLElement).dataset.key, toast]));
    box.replaceChildren(...this.#shown.map((arrival) => {
      const key = `${say("show")}/${arrival.occurrence.id}/${arrival.isNew}/${String(arrival.occurrence.properties.updated_at)}`;
      // Unchanged toasts are kept, so that a screen reader does not read them again.
      return existing.get(key) ?? this.#toast(arrival, key);
    }));
  }

  #toast(arrival: Arrival, key: string): HTMLElement {
    const { occurrence, isNew } = arrival;
    const grade = codeOf(this.catalog.codes.incident_grade, occurrence.severity);
    const show = element("button", { type: "button", class: "show" }, say("show"));
    show.addEventListener("click", () => {
      this.#dismiss(arrival);
      this.panel.show(occurrence);
    });
    const close = element("button", { type: "button", class: "close", "aria-label": say("close"), title: say("close") }, "×");
    close.addEventListener("click", () => this.#dismiss(arrival));
    const toast = element("article", { class: isOver(occurrence) ? "toast over" : "toast", "data-key": key, "data-id": occurrence.id },
      element("p", { class: "what" }, headline(occurrence, isNew), grade ? ` · ${pick(grade)}` : ""),
      element("p", { class: "name" }, occurrence.name),
      element("p", { class: "quiet" }, [this.panel.stateWords(occurrence), ageWords(occurrence)].filter(Boolean).join(" · ")),
      element("div", { class: "actions" }, show, close));
    if (grade?.color && !isOver(occurrence)) toast.style.setProperty("--grade", grade.color);
    return toast;
  }

  #dismiss(arrival: Arrival): void {
    this.#shown = this.#shown.filter((one) => one !== arrival);
    this.#draw();
  }

  #drawSound(button: HTMLButtonElement): void {
    button.setAttribute("aria-pressed", String(this.#sound));
    button.title = say(this.#sound ? "soundOff" : "soundOn");
    button.setAttribute("aria-label", `${say("sound")}: ${say("soundOn")}`);
  }
}

function headline({ layer, ended, expired }: Occurrence, isNew: boolean): string {
  if (layer === "incidents") return say(ended || expired ? "incidentOver" : isNew ? "newIncident" : "changedIncident");
  return say(ended || expired ? "warningOver" : isNew ? "newWarning" : "changedWarning");
}

/** Two short tones, generated so that no file is needed. */
function chime(): void {
  try {
    const audio = new AudioContext();
    for (const [at, pitch] of [[0, 880], [0.22, 660]] as const) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.18, audio.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.2);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + 0.2);
    }
    window.setTimeout(() => void audio.close(), 1_000);
  } catch {
    // Without an audio device only the toast is shown.
  }
}

function atStart(): boolean {
  try {
    return localStorage.getItem(KEPT_AS) === "on";
  } catch {
    return false;
  }
}
