// Asks before something that cannot simply be taken back.
import { element } from "./element";
import { say } from "./language";
import type { Word } from "./words";

/** Whether the officer confirms. */
export function confirmed(title: string, text: string, action: Word): Promise<boolean> {
  const dialog = element("dialog", { class: "confirmation", role: "alertdialog", "aria-labelledby": "confirmation-title", "aria-describedby": "confirmation-text" });
  const button = (word: Word, kind: string, answer: string) => {
    const made = element("button", { type: "button", class: kind }, say(word));
    made.addEventListener("click", () => dialog.close(answer));
    return made;
  };
  dialog.append(
    element("h2", { id: "confirmation-title" }, title),
    element("p", { id: "confirmation-text" }, text),
    element("p", { class: "actions" }, button(action, "danger", "yes"), button("cancel", "", "")));
  // The panel below must not close too.
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
