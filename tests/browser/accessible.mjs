// axe-core on every kind of page and panel, in both themes: accessible.mjs BASE_URL SECRET; exit code 1 when a rule is violated.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { openBrowser } from "./chromium.mjs";

const [base, secret] = process.argv.slice(2);
if (!secret) {
  console.error("usage: node tests/browser/accessible.mjs BASE_URL SECRET");
  process.exit(2);
}
const origin = new URL(base).origin;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE_MS = 90_000;

const browser = await openBrowser({ width: 1366, height: 768 });
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
page.setDefaultTimeout(PATIENCE_MS);
let violated = false;

try {
  for (const theme of ["light", "dark"]) {
    await map(`?theme=${theme}`);
    await page.locator("#layers-toggle").click();
    await examine(`map, ${theme}`);
    await map(`?theme=${theme}#point=118.86,26.22&people=30&hazard=flood`);
    await answered();
    await examine(`nearest, ${theme}`);
    await page.locator("#draw").click();
    await examine(`drawing, ${theme}`);
    await page.locator("#drawing .close").click();
    await page.locator("#session").click();
    await examine(`sign in, ${theme}`);
    await page.keyboard.press("Escape");
  }
  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);
  await map("?theme=light#point=118.86,26.22&layer=shelters&people=30");
  await answered();
  await page.locator("#nearest li .commit").first().click();
  await examine("commit");
  for (const path of ["ogc", "ogc/collections/shelters/items", "ogc/collections/shelters/items/SH-0001", "api/surroundings?point=118.86,26.22&f=html", "api/alerts/WN-01?f=html", "ogc/styles?f=html"]) {
    await page.goto(`${origin}/${path}`);
    await examine(path);
  }
} finally {
  await browser.close();
}
process.exitCode = violated ? 1 : 0;

async function map(query) {
  // A new address of the same page would not load it again.
  await page.goto("about:blank");
  await page.goto(`${origin}/${query}`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
}

async function answered() {
  await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="shelters"] > ol > li').length > 0);
}

async function examine(what) {
  // The policy of the page permits no inline script, but the browser's own evaluation.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  for (const { id, impact, nodes } of violations) {
    violated = true;
    for (const node of nodes.slice(0, 5)) console.error(`${what}: ${id} (${impact}) ${node.target.join(" ")}: ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message}`);
  }
  console.log(`ok: ${what}`);
}
