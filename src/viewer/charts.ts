// Bars as SVG: a handful of counts needs no library for charts.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 14;

export type Part = { value: number; colour: string; name: string };

/** A horizontal bar of parts, as long as its share of the greatest sum. */
export function bar(parts: readonly Part[], greatest: number, label: string): SVGSVGElement {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "bar", role: "img", "aria-label": label });
  let x = 0;
  for (const { value, colour, name } of parts) {
    const width = greatest > 0 ? (value / greatest) * WIDTH : 0;
    const box = shape("rect", { x: x.toFixed(2), y: 0, width: width.toFixed(2), height: HEIGHT, fill: colour });
    const title = shape("title", {});
    title.textContent = `${name} ${value}`;
    box.append(title);
    svg.append(box);
    x += width;
  }
  return svg;
}

function shape<Tag extends "svg" | "rect" | "title">(tag: Tag, attributes: Record<string, string | number>): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
