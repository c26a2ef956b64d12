// A layer that the server cannot read, in a real Chromium: unavailable.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "./chromium.mjs";

const [base, out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node tests/browser/unavailable.mjs BASE_URL OUT_DIR");
  process.exit(2);
}
const origin = new URL(base).origin;
mkdirSync(out, { recursive: true });

const browser = await openBrowser({ width: 1366, height: 768 });
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
page.setDefaultTimeout(90_000);

try {
  await page.goto(`${origin}/?lang=zh`);
  const notice = page.locator('[data-notice="unavailable"]');
  await notice.waitFor();
  assert.match(await notice.textContent(), /暂时无法读取.*避灾点.*前/);
  console.log("ok: the layer and the age of its state are named");
  await page.screenshot({ path: join(out, "unavailable-zh.png") });
  const { count } = (await (await fetch(`${origin}/api/layers`)).json()).layers.find(({ id }) => id === "shelters");
  assert.equal(count, 349);
  console.log("ok: its last state stays on the map");
} catch (error) {
  console.error(error.stack ?? error);
  process.exitCode = 1;
} finally {
  await browser.close();
}
