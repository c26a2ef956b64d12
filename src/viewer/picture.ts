// The map as a picture: title, time, data version, risk colours and scale around what is on the screen; to save or to print.
import type { Map } from "maplibre-gl";
import type { Catalog } from "./api";
import { element, part } from "./element";
import { distance, time } from "./format";
import { onLanguage, pick, say } from "./language";
import { saveFile } from "./save_file";

const MARGIN = 24;
const HEAD = 64;
const FOOT = 52;
const JPEG_QUALITY = 0.92;
/** Colours of the sheet, which is light in every theme. */
const INK = "#17222c";
const QUIET = "#56616b";

export class Picture {
  readonly #dialog = element("dialog", { id: "picture", "aria-labelledby": "picture-title" });
  /** The version of the data that the map shows. */
  version = "";

  constructor(private readonly map: Map, private readonly catalog: Catalog, button: HTMLButtonElement) {
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
    const save = element("a", { href: address, download: `${this.#fileName()}.png`, class: "primary" }, say("savePicture"));
    const pdf = element("button", { type: "button", class: "pdf" }, say("savePdf"));
    pdf.addEventListener("click", () => void this.#savePdf(sheet, pdf));
    const print = element("button", { type: "button" }, say("print"));
    print.addEventListener("click", () => window.print());
    const close = element("button", { type: "button" }, say("close"));
    close.addEventListener("click", () => this.#dialog.close());
    this.#dialog.replaceChildren(element("h2", { id: "picture-title" }, say("picture")), image, element("p", { class: "actions" }, save, pdf, print, close));
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
    sheet.width = width + 2 * px(MARGIN);
    sheet.height = height + px(HEAD + FOOT);
    const out = sheet.getContext("2d")!;
    const text = (words: string, x: number, y: number, size: number, weight: number, colour = INK, align: CanvasTextAlign = "left") => {
      out.font = `${weight} ${px(size)}px ${getComputedStyle(document.body).fontFamily}`;
      out.fillStyle = colour;
      out.textAlign = align;
      out.fillText(words, x, y);
    };
    out.fillStyle = "#ffffff";
    out.fillRect(0, 0, sheet.width, sheet.height);
    text(this.#title(), px(MARGIN), px(42), 26, 700);
    const sample = part("sample-badge").hidden ? "" : `${say("sampleData")} · `;
    text(`${sample}${time(new Date().toISOString())} · ${say("dataVersion")} ${this.version}`, sheet.width - px(MARGIN), px(40), 14, 400, QUIET, "right");
    out.drawImage(source, px(MARGIN), px(HEAD));
    out.strokeStyle = "#8a929a";
    out.lineWidth = ratio;
    out.strokeRect(px(MARGIN), px(HEAD), width, height);
    const foot = px(HEAD) + height + px(33);
    let x = px(MARGIN);
    for (const level of this.catalog.codes.risk_level ?? []) {
      out.fillStyle = level.color ?? QUIET;
      out.fillRect(x, foot - px(13), px(18), px(15));
      text(pick(level), x + px(25), foot, 14, 400);
      x += px(25) + out.measureText(pick(level)).width + px(20);
    }
    this.#scale(out, sheet.width - px(MARGIN), foot, ratio);
    return sheet;
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
