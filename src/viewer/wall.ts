// Layout for wall screens (?wall=1), with a clock that shows Beijing time.
import { element, part } from "./element";
import { language, onLanguage, say } from "./language";

export const isWall = new URLSearchParams(location.search).get("wall") === "1";

/** Switches the page to the wall layout and starts its clock. */
export function startWall(): void {
  if (!isWall) return;
  document.documentElement.dataset.wall = "true";
  const clock = part("clock");
  clock.hidden = false;
  const tick = () => {
    const now = new Date();
    const options = { timeZone: "Asia/Shanghai" } as const;
    const locale = language() === "zh" ? "zh-CN" : "en-GB";
    clock.replaceChildren(
      element("span", { class: "date" }, new Intl.DateTimeFormat(locale, { ...options, year: "numeric", month: "long", day: "numeric", weekday: "long" }).format(now)),
      element("span", { class: "time" }, new Intl.DateTimeFormat("en-GB", { ...options, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(now)),
      element("span", { class: "zone" }, say("beijingTime")));
  };
  onLanguage(tick);
  setInterval(tick, 1_000);
}
