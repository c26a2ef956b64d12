// Selects the panel in the bottom sheet of narrow screens; wide screens show the panels beside the map.
import { part } from "./element";

export type Sheet = "situation" | "layers" | "nearest";

const NARROW = matchMedia("(max-width: 760px)");

/** Opens a panel in the sheet, or closes the sheet. */
export function openSheet(sheet: Sheet | undefined): void {
  if (sheet) document.body.dataset.sheet = sheet;
  else delete document.body.dataset.sheet;
  for (const tab of part("tabs").querySelectorAll("button")) tab.setAttribute("aria-pressed", String(tab.dataset.tab === sheet));
}

/** Starts the tabs with the situation panel. Without a query, the query tab queries from the map centre. */
export function startSheet(): void {
  for (const tab of part("tabs").querySelectorAll("button")) {
    tab.addEventListener("click", () => {
      const sheet = tab.dataset.tab as Sheet;
      const isOpen = document.body.dataset.sheet === sheet;
      openSheet(isOpen ? undefined : sheet);
      if (!isOpen && sheet === "nearest" && part("nearest").hidden) part("ask-centre").click();
    });
  }
  openSheet(NARROW.matches ? "situation" : undefined);
}
