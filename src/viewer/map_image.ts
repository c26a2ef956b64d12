// The map as an image: title, time, data version, legend and scale around what is on the screen; to save or to print.
import type { Map, StyleSpecification } from "maplibre-gl";
import type { Catalog } from "./api";
import { element, part } from "./element";
import { distance, time } from "./format";
import { onLanguage, pick, say } from "./language";
import { TYPICAL } from "./layers";
import { saveFile } from "./save_file";
import { drawSign, signOf, type Sign } from "./signs";
import { metadata } from "./style";

const MARGIN = 24;
const HEAD = 64;
const FOOT = 52;
/** Height of a further line of the title or the legend. */
const LINE = 26;
const TITLE_PX = 26;
const TEXT_PX = 14;
/** Width of an entry of the legend without its words, and of the scale beside the legend. */
const ENTRY_PX = 45;
const SCALE_PX = 250;
const JPEG_QUALITY = 0.92;
/** Colours of the sheet, which is light in every theme. */
const INK = "#17222c";
const QUIET = "#56616b";

export class MapImage {
  readonly #dialog = element("dialog", { id: "map-image", "aria-labelledby": "map-image-title" });
  /** The version of the data that the map shows. */
  version = "";

  constructor(private readonly map: Map, private readonly style: StyleSpecification, private readonly catalog: Catalog, button: HTMLButtonElement) {
    document.body.append(this.#dialog);
    button.addEventListener("click", () => void this.open());
    onLanguage(() => this.#dialog.close());
  }

  async open(): Promise<void> {
    const sheet = await this.#sheet();
    const blob = await new Promise<Blob | null>((resolve) => sheet.toBlob(resolve, "image/png"));
    if (!blob) return;
    const address = URL.createObjectURL(blob);
    const image = element("img", { src: address, alt: this.#title(), class: "sheet" });
    const save = element("a", { href: address, download: `${this.#fileName()}.png`, class: "primary" }, say("saveImage"));
    const pdf = element("button", { type: "button", class: "pdf" }, say("savePdf"));
    pdf.addEventListener("click", () => void this.#savePdf(sheet, pdf));
    const print = element("button", { type: "button" }, say("print"));
    print.addEventListener("click", () => window.print());
    const close = element("button", { type: "button" }, say("close"));
    close.addEventListener("click", () => this.#dialog.close());
    this.#dialog.replaceChildren(element("h2", { id: "map-image-title" }, say("mapImage")), image, element("p", { class: "actions" }, save, pdf, print, close));
    this.#dialog.addEventListener("close", () => URL.revokeObjectURL(address), { once: true });
    this.#dialog.showModal();
  }

  async #savePdf(sheet: HTMLCanvasElement, button: HTMLButtonElement): Promise<void> {
    try {
      const { pdfOf } = await import("./pdf");
      const jpeg = await new Promise<Blob | null>((resolve) => sheet.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
      if (jpeg) saveFile(await pdfOf(jpeg, this.#title()), `${this.#fileName()}.pdf`);
    } catch (error) {
      button.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  #fileName(): string {
    return `${this.#title()} ${time(new Date().toISOString()).replaceAll(":", "-")}`;
  }

  #title(): string {
    return pick(this.catalog.county.title);
  }

  async #sheet(): Promise<HTMLCanvasElement> {
    const source = await drawn(this.map);
    const [width, height] = [source.width, source.height];
    const ratio = width / this.map.getCanvas().clientWidth;
    const px = (size: number) => size * ratio;
    const sheet = document.createElement("canvas");
    const out = sheet.getContext("2d")!;
    const font = (size: number, weight: number) => (out.font = `${weight} ${px(size)}px ${getComputedStyle(document.body).fontFamily}`);
    const text = (words: string, x: number, y: number, size: number, weight: number, colour = INK, align: CanvasTextAlign = "left") => {
      font(size, weight);
      out.fillStyle = colour;
      out.textAlign = align;
      out.fillText(words, x, y);
    };
    const sample = part("sample-badge").hidden ? "" : `${say("sampleData")} · `;
    const stated = `${sample}${time(new Date().toISOString())} · ${say("dataVersion")} ${this.version}`;
    // On a telephone the time stands below the title, and the legend above the scale.
    font(TITLE_PX, 700);
    const titleWidth = out.measureText(this.#title()).width;
    font(TEXT_PX, 400);
    const isOneLine = titleWidth + out.measureText(stated).width + px(MARGIN) <= width;
    const head = isOneLine ? HEAD : HEAD + LINE;
    const entries = this.#entries();
    const rows = rowsOf(entries.map(({ words }) => px(ENTRY_PX) + out.measureText(words).width), isOneLine ? width - px(SCALE_PX) : width);
    const lines = isOneLine ? rows.length : rows.length + 1;
    sheet.width = width + 2 * px(MARGIN);
    sheet.height = height + px(head + FOOT + (lines - 1) * LINE);
    out.fillStyle = "#ffffff";
    out.fillRect(0, 0, sheet.width, sheet.height);
    text(this.#title(), px(MARGIN), px(42), TITLE_PX, 700);
    text(stated, isOneLine ? sheet.width - px(MARGIN) : px(MARGIN), px(isOneLine ? 40 : 42 + LINE), TEXT_PX, 400, QUIET, isOneLine ? "right" : "left");
    out.drawImage(source, px(MARGIN), px(head));
    out.strokeStyle = "#8a929a";
    out.lineWidth = ratio;
    out.strokeRect(px(MARGIN), px(head), width, height);
    const foot = px(head) + height + px(33);
    rows.forEach((row, line) => row.forEach(({ at, x }) => {
      const { sign, words } = entries[at]!;
      const y = foot + px(line * LINE);
      drawSign(out, sign, px(MARGIN) + x, y - px(13), px(18));
      text(words, px(MARGIN) + x + px(25), y, TEXT_PX, 400);
    }));
    this.#scale(out, sheet.width - px(MARGIN), isOneLine ? foot : foot + px(rows.length * LINE), ratio);
    return sheet;
  }

  /** The risk colours, and the signs of the layers that are on the map. */
  #entries(): { sign: Sign; words: string }[] {
    const levels = (this.catalog.codes.risk_level ?? []).map((level): { sign: Sign; words: string } =>
      ({ sign: { shape: "area", fill: level.color ?? QUIET, edge: level.color ?? QUIET, text: "", ink: INK }, words: pick(level) }));
    const shown = new Set(this.map.queryRenderedFeatures().map(({ layer }) => metadata(layer)["onemap:layer"]));
    const layers = this.catalog.layers.filter(({ id, group }) => shown.has(id) && group !== "base");
    return [...levels, ...layers.map((layer) => ({ sign: signOf(this.style, layer.id, { risk_level: 2, ...TYPICAL[layer.id] }), words: pick(layer.title) }))];
  }

  /** A bar of a round length, in the middle of the map. */
  #scale(out: CanvasRenderingContext2D, right: number, y: number, ratio: number): void {
    const middle = this.map.getCanvas().clientHeight / 2;
    const metresPerPixel = this.map.unproject([0, middle]).distanceTo(this.map.unproject([100, middle])) / 100;
    const most = metresPerPixel * 160;
    const power = 10 ** Math.floor(Math.log10(most));
    const metres = [5, 2, 1].map((step) => step * power).find((length) => length <= most) ?? power;
    const width = (metres / metresPerPixel) * ratio;
    out.fillStyle = INK;
    out.fillRect(right - width, y - 3 * ratio, width, 4 * ratio);
    out.textAlign = "right";
    out.font = `600 ${13 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    out.fillText(distance(metres), right - width - 8 * ratio, y + 2 * ratio);
  }
}

/** Places entries of these widths in rows; the first leaves room at its end. */
function rowsOf(widths: readonly number[], width: number): { at: number; x: number }[][] {
  const rows: { at: number; x: number }[][] = [[]];
  let x = 0;
  widths.forEach((own, at) => {
    if (x > 0 && x + own > width) {
      rows.push([]);
      x = 0;
    }
    rows.at(-1)!.push({ at, x });
    x += own;
  });
  return rows;
}

/** What the map shows, as a canvas: its own is empty except while it draws. */
function drawn(map: Map): Promise<HTMLCanvasElement> {
  return new Promise((resolve) => {
    map.once("render", () => {
      const own = map.getCanvas();
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [own.width, own.height];
      copy.getContext("2d")!.drawImage(own, 0, 0);
      resolve(copy);
    });
    map.triggerRepaint();
  });
}
