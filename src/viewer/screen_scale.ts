// The scale of the page on large screens: text of 14 pixels is not legible on a screen 4,000 pixels wide.
import { isWall } from "./wall";

/** Screen widths at scale 1, CSS pixels: a wall is read from afar. */
const WALL_WIDTH_PX = 1_600;
const DESK_WIDTH_PX = 2_560;

/** Scale relative to a desktop screen, at least 1. */
export function screenScale(): number {
  return Math.max(1, window.innerWidth / (isWall ? WALL_WIDTH_PX : DESK_WIDTH_PX));
}

/** Sets the CSS property `--scale`, now and when the window changes. */
export function startScale(): void {
  const scale = () => document.documentElement.style.setProperty("--scale", String(screenScale()));
  window.addEventListener("resize", scale);
  scale();
}
