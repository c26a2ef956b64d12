// axe-core on every kind of page and panel, in both themes; no page reports an error or asks another host: accessible.mjs
// BASE_URL SECRET; exit code 1 when a rule is violated.
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
const PAGES = [
  "ogc", "ogc/collections?f=html", "ogc/collections/shelters?f=html", "ogc/collections/shelters/items?f=html", "ogc/collections/shelters/items/SH-0001?f=html",
  "ogc/tiles?f=html", "ogc/styles?f=html", "ogc/conformance?f=html",
  "api/surroundings?point=118.86,26.22&f=html", "api/surroundings?incident=IN-01&f=html", "api/alerts/WN-01?f=html",
];

const browser = await openBrowser({ width: 1366, height: 768 });
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
page.setDefaultTimeout(PATIENCE_MS);
let violated = false;
page.on("console", (message) => {
  if (message.type() === "error") complain(`console: ${message.text()}`);
});
page.on("pageerror", (error) => complain(error.message));
page.on("request", (request) => {
  if (!request.url().startsWith(`${origin}/`) && !/^(about|blob|data):/.test(request.url())) complain(`foreign request: ${request.url()}`);
});

try {
  await map("");
  await page.locator("#layers-toggle").click();
  await inBothThemes("map with layers");
  await page.locator('[data-audit="coverage"] input').check();
  await page.waitForFunction(() => document.querySelector('[data-audit="coverage"] .count').textContent !== "");
  await page.locator("#legend summary").click();
  await inBothThemes("audits and legend", "#stage, #layers, #nearest");
  await page.locator("#draw").click();
  await inBothThemes("drawing", "#drawing");
  await page.locator("#drawing .close").click();
  await page.locator("#session").click();
  await inBothThemes("sign in", "dialog[open]");
  await page.keyboard.press("Escape");
  await page.locator("#save-image").click();
  await page.waitForSelector("dialog[open]");
  await examine("map image", "dialog[open]");
  await map("?wall=1");
  await examine("wall");

  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);
  await map("#point=118.86,26.22&people=30&hazard=flood");
  await answered();
  await inBothThemes("query form and results", "#nearest");
  await page.locator("#nearest li .commit").first().click();
  await examine("commit", "dialog[open]");
  await page.keyboard.press("Escape");
  await page.locator("#search input").fill("避灾点");
  await page.waitForSelector("#search li[data-id]");
  await examine("search", "#header");
  await page.keyboard.press("Enter");
  await page.waitForSelector('.card [data-feature] .body[aria-busy="false"]');
  await inBothThemes("card", ".card");
  await page.locator(".card .start-delete").click();
  await inBothThemes("confirmation", "dialog[open]");
  await page.keyboard.press("Escape");
  await page.locator(".card .start-edit").click();
  await page.waitForSelector("#edit-name");
  await page.locator("#edit-name").fill("");
  await page.locator('.edit button[type="submit"]').click();
  await page.waitForFunction(() => document.querySelector("#edit-name-note").textContent !== "");
  await inBothThemes("edit form with a fault", "#nearest");
  await page.locator("#nearest .close").click();
  await examine("notice", "#notices");
  await page.locator('[data-notice="draft"] button').last().click();
  await page.locator("#create").click();
  await page.locator("#edit-layer").selectOption("incidents");
  await inBothThemes("new feature", "#nearest");
  await page.locator(".edit .cancel").click();
  await page.keyboard.press("Alt+KeyL");
  await page.waitForFunction(() => document.querySelectorAll("#nearest .view-rows li").length > 0);
  await inBothThemes("list in view", "#nearest");
  await page.locator('#occurrences [data-id="WN-01"]').click();
  await page.locator(".card .plan-here").click();
  await page.waitForFunction(() => document.querySelectorAll("#nearest .plan-list li").length > 0);
  await inBothThemes("plan", "#nearest");
  await drop("shelters.csv", "编号,点名,经度,纬度\nIMP-1,新建避灾点,118.859,26.222\n,老祠堂,很多,26.2\n");
  await page.locator('#nearest [data-field="crs"]').fill("wgs84");
  await page.locator('#nearest [data-field="crs"]').press("Tab");
  await page.locator("#nearest .verdict").waitFor();
  await inBothThemes("import", "#nearest");

  await page.setViewportSize({ width: 390, height: 844 });
  await map("");
  await inBothThemes("phone");
  await page.locator('#tabs [data-tab="layers"]').click();
  await examine("phone, layers", "#layers");
  await page.locator("#list-view").click();
  await page.waitForFunction(() => document.querySelectorAll("#nearest .view-rows li").length > 0);
  await examine("phone, list in view", "#nearest");
  await page.locator("#create").click();
  await examine("phone, new feature", "#nearest");
  await page.setViewportSize({ width: 1366, height: 768 });
  for (const path of PAGES) {
    await page.goto(`${origin}/${path}`);
    await examine(path);
  }
  await page.goto(`${origin}/docs`);
  await page.waitForSelector(".opblock-tag");
  await examine("docs");
} finally {
  await browser.close();
}
process.exitCode = violated ? 1 : 0;

function complain(text) {
  violated = true;
  console.error(text);
}

async function map(query) {
  // A new address of the same page would not load it again.
  await page.goto("about:blank");
  await page.goto(`${origin}/${query}`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
}

async function answered() {
  await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="shelters"] > ol > li').length > 0);
}

async function drop(name, text) {
  await page.evaluate(([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [name, text]);
}

async function inBothThemes(what, within) {
  for (const theme of ["light", "dark"]) {
    await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
    await examine(`${what}, ${theme}`, within);
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = "light"));
}

/** @param within selector of what was not examined before; without it the whole page */
async function examine(what, within) {
  // The policy of the page permits no inline script, but the browser's own evaluation.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const { violations } = await page.evaluate((within) => window.axe.run(within ?? document, { rules: { "target-size": { enabled: true } } }), within);
  for (const { id, impact, nodes } of violations) {
    for (const node of nodes.slice(0, 5)) complain(`${what}: ${id} (${impact}) ${node.target.join(" ")}: ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message}`);
  }
  console.log(`ok: ${what}`);
}
