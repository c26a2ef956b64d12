#!/usr/bin/env node
// Draws the glyphs of the map styles as distance fields: scripts/glyphs.mjs writes styles/fonts/STACK/FIRST-LAST.pbf.
// It needs Chromium, the packages fonts-noto-core and fonts-noto-cjk, and the Node packages of tests/. Chinese characters
// are not among them: map libraries draw those from fonts of the machine.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser } from "../tests/browser/chromium.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const required = createRequire(join(root, "tests", "package.json"));
const { PbfWriter } = await import(required.resolve("pbf"));
const tinySdf = readFileSync(required.resolve("@mapbox/tiny-sdf"), "utf8").replace("export default class TinySDF", "window.TinySDF = class TinySDF");

const FONTS = { "Noto Sans Regular": 400, "Noto Sans Bold": 700 };
/** Latin with the letters of pinyin, punctuation, units, arrows, numbers in circles, and Chinese punctuation in full width. */
const CODES = [
  [32, 126], [160, 383], [461, 476], [8208, 8231], [8242, 8243], [8251, 8251], [8451, 8451], [8470, 8470], [8544, 8555], [8592, 8595],
  [9312, 9331], [12289, 12305], [12308, 12311], [65040, 65049], [65072, 65103], [65281, 65374],
];
const RANGE = 256;
/** How map libraries place a glyph of 24 pixels: its top relative to the ascender. */
const TOP = 27;

const browser = await openBrowser({ width: 200, height: 200 });
const page = await browser.context.newPage();
await page.goto("about:blank");
await page.addScriptTag({ content: tinySdf });
rmSync(join(root, "styles", "fonts"), { recursive: true, force: true });
for (const [stack, weight] of Object.entries(FONTS)) {
  const codes = CODES.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at));
  const drawn = await page.evaluate(([weight, codes]) => {
    const sdf = new window.TinySDF({ fontFamily: '"Noto Sans","Noto Sans CJK SC"', fontWeight: String(weight) });
    return codes.map((code) => {
      const { data, glyphWidth, glyphHeight, glyphTop, glyphLeft, glyphAdvance } = sdf.draw(String.fromCharCode(code));
      return { code, bitmap: [...data], width: glyphWidth, height: glyphHeight, top: glyphTop, left: glyphLeft, advance: glyphAdvance };
    });
  }, [weight, codes]);
  const folder = join(root, "styles", "fonts", stack);
  mkdirSync(folder, { recursive: true });
  const firsts = new Set(drawn.map(({ code }) => Math.floor(code / RANGE) * RANGE));
  for (const first of firsts) {
    const glyphs = drawn.filter(({ code }) => code >= first && code < first + RANGE);
    const name = `${first}-${first + RANGE - 1}`;
    writeFileSync(join(folder, `${name}.pbf`), encoded(stack, name, glyphs));
  }
}
await browser.close();

function encoded(stack, range, glyphs) {
  const pbf = new PbfWriter();
  pbf.writeMessage(1, (_, own) => {
    own.writeStringField(1, stack);
    own.writeStringField(2, range);
    for (const glyph of glyphs) own.writeMessage(3, writeGlyph, glyph);
  });
  return pbf.finish();
}

function writeGlyph({ code, bitmap, width, height, left, top, advance }, pbf) {
  pbf.writeVarintField(1, code);
  if (width > 0 && height > 0) pbf.writeBytesField(2, Uint8Array.from(bitmap));
  pbf.writeVarintField(3, width);
  pbf.writeVarintField(4, height);
  pbf.writeSVarintField(5, left);
  pbf.writeSVarintField(6, top - TOP);
  pbf.writeVarintField(7, Math.round(advance));
}
