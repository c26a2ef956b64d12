// Takes the screenshots of the README from a server with the sample: screenshots.mjs BASE_URL .github.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "./chromium.mjs";

const [base, out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node tests/browser/screenshots.mjs BASE_URL OUT_DIR");
  process.exit(2);
}
const origin = new URL(base).origin;
mkdirSync(out, { recursive: true });
const QUALITY = 56;

/** The name, the size, the address, and what is done before the screenshot is taken. */
const PICTURES = [
  ["overview", [1440, 810], "?lang=zh", async () => undefined],
  ["evacuation-plan", [1440, 810], "?lang=zh", async (page) => {
    await page.locator('#occurrences [data-id="WN-01"]').click();
    await page.locator(".card .plan-here").click();
    await page.waitForFunction(() => document.querySelectorAll("#nearest .plan-list li").length > 0);
  }],
  ["wall", [1600, 900], "?lang=zh&wall=1&theme=dark&tour=0", async () => undefined],
  ["phone", [390, 844], "?lang=zh#map=13/26.22/118.85", async () => undefined],
];

for (const [name, [width, height], address, prepare] of PICTURES) {
  const browser = await openBrowser({ width, height });
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  page.setDefaultTimeout(90_000);
  await page.goto(`${origin}/${address}`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  await prepare(page);
  await page.evaluate(async () => {
    const { map } = window.onemap;
    if (!map.loaded() || map.isMoving()) await new Promise((resolve) => map.once("idle", resolve));
  });
  await page.screenshot({ path: join(out, `${name}.jpg`), type: "jpeg", quality: QUALITY });
  await browser.close();
  console.log(name);
}
