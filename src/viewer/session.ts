// Signing in and out: who uses this browser, and what the server permits.
import * as api from "./api";
import { dropDraft } from "./draft";
import { element } from "./element";
import { time } from "./format";
import { onLanguage, say } from "./language";
import type { Word } from "./words";
import { forgetAnswers } from "./offline";

export const ROLES: Record<api.Role, Word> = {
  public: "rolePublic", viewer: "roleViewer", editor: "roleEditor", dispatcher: "roleDispatcher", admin: "roleAdmin",
};

export class SessionPanel {
  #session: api.Session | undefined;
  /** The message above the form. */
  #why: Word | undefined;
  readonly #dialog = element("dialog", { id: "sign-in", "aria-labelledby": "sign-in-title" });

  /** @param button opens the dialog and shows who is signed in */
  constructor(private readonly button: HTMLButtonElement) {
    document.body.append(this.#dialog);
    button.addEventListener("click", () => this.open());
    api.onRefused(() => {
      forgetAnswers();
      this.open("signInAgain");
    });
    onLanguage(() => this.#draw());
    void this.#load();
  }

  /** Whether this browser may write a layer. */
  writes(layer: string): boolean {
    return this.#session?.writable_layers.includes(layer) ?? false;
  }

  /** The name of the account. */
  get account(): string | null {
    return this.#session?.name ?? null;
  }

  async #load(): Promise<void> {
    try {
      this.#session = await api.session();
    } catch {
      // Without an answer the page is that of the public; the dialog tells what is wrong.
    }
    this.#draw();
    this.onKnown();
  }

  /** Opens the audit log. */
  onAudit: () => void = () => undefined;

  /** Called when the session is known. */
  onKnown: () => void = () => undefined;

  #draw(): void {
    const { signed_in: isSignedIn, name, role } = this.#session ?? { signed_in: false, name: null, role: "public" as const };
    this.button.hidden = false;
    this.button.textContent = isSignedIn ? (name ?? say(ROLES[role])) : say("signIn");
    this.button.title = isSignedIn ? say(ROLES[role]) : say("signIn");
    // In another language; a form in which somebody types stays.
    if (this.#dialog.open && !this.#dialog.querySelector("input")?.value) this.#fill();
  }

  /** @param why a message above the form */
  open(why?: Word): void {
    // Several requests may be refused at once; what is being typed stays.
    if (this.#dialog.open) return;
    this.#why = why;
    this.#fill();
    this.#dialog.showModal();
  }

  #fill(): void {
    const account = this.#why ? undefined : this.#session;
    const title = element("h2", { id: "sign-in-title" }, say(account?.signed_in ? "account" : "signIn"));
    const note = element("p", { class: "failed", role: "alert" }, this.#why ? say(this.#why) : "");
    const close = element("button", { type: "button" }, say("close"));
    close.addEventListener("click", () => this.#dialog.close());
    const content = account?.signed_in ? this.#account(account, note, close) : this.#form(note, close);
    this.#dialog.replaceChildren(title, content);
  }

  #account(session: api.Session, note: HTMLElement, close: HTMLElement): HTMLElement {
    const fact = (word: Word, text: string) => [element("dt", {}, say(word)), element("dd", {}, text)];
    const out = element("button", { type: "button", class: "primary" }, say("signOut"));
    out.addEventListener("click", () => {
      // What somebody typed is not for whoever comes next.
      dropDraft();
      void this.#change(note, api.signOut);
    });
    const log = element("button", { type: "button" }, say("auditLog"));
    log.addEventListener("click", () => {
      this.#dialog.close();
      this.onAudit();
    });
    return element("div", {},
      element("dl", {},
        ...(session.name ? fact("accountName", session.name) : []),
        ...fact("role", say(ROLES[session.role])),
        ...(session.regions?.length ? fact("regions", session.regions.join(say("listComma"))) : []),
        ...(session.expires_at ? fact("expiresAt", time(session.expires_at)) : [])),
      note,
      element("p", { class: "actions" }, out, session.role === "admin" ? log : undefined, close));
  }

  #form(note: HTMLElement, close: HTMLElement): HTMLElement {
    const secret = element("input", { type: "password", name: "secret", required: true, autocomplete: "current-password", autofocus: true });
    const form = element("form", {},
      element("label", {}, say("secret"), secret),
      element("p", { class: "quiet" }, say("secretHint")),
      note,
      element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, say("signIn")), close));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#change(note, () => api.signIn(secret.value.trim()));
    });
    return form;
  }

  /** What the role sees may differ everywhere, so the page is loaded again; the address keeps what was asked. */
  async #change(note: HTMLElement, change: () => Promise<void>): Promise<void> {
    note.textContent = "";
    try {
      await change();
      forgetAnswers();
      location.reload();
    } catch (error) {
      note.textContent = error instanceof api.ServerError && error.status === 401 ? say("wrongSecret") : String(error instanceof Error ? error.message : error);
    }
  }
}
