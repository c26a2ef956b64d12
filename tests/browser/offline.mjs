// The map without a server: the page, its tiles and its last answers are kept, and it is said so: offline.mjs BASE_URL OUT_DIR
// PROCESS_ID PROGRAM STORE; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { openScenario } from "./scenario.mjs";

const { origin, more: [processId, program, store], page, check, screenshot, run } = await openScenario(
  ["BASE_URL", "OUT_DIR", "PROCESS_ID", "PROGRAM", "STORE"], { viewport: { width: 1366, height: 900 }, expected: /Failed to load resource|ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE/, serviceWorkers: "allow" });
const ADDRESS = `${origin}/#map=13/26.22/118.86&point=118.86,26.22&layer=shelters&k=3`;
let server;

try {
  await run(async () => {
    await check("the service worker keeps what the page loads", async () => {
      await page.goto(ADDRESS);
      await ready();
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
      // From now on every request passes through it.
      await page.reload();
      await ready();
      await page.waitForFunction(async () => (await (await caches.open("onemap-tiles")).keys()).length > 10
        && (await (await caches.open("onemap-page")).match("./")) !== undefined);
      assert.equal(await page.locator('[data-notice="unreachable"]').count(), 0);
    });

    await check("downloads do not pass through it", async () => {
      const path = "ogc/collections/villages/items?limit=10";
      const kept = await page.evaluate(async (path) => {
        for (const own of [path, `${path}&f=csv`]) await (await fetch(own)).text();
        const cache = await caches.open("onemap-answers");
        // The first is put there after the page has it.
        while (!(await cache.match(path))) await new Promise((resolve) => setTimeout(resolve, 20));
        return (await cache.match(`${path}&f=csv`)) !== undefined;
      }, path);
      assert.equal(kept, false);
    });

    const before = await shown();
    await check("without a server the page opens with the last tiles and answers, and says that they are old", async () => {
      process.kill(Number(processId), "SIGKILL");
      await page.reload();
      await ready();
      await page.waitForSelector('[data-notice="unreachable"]');
      assert.match(await page.locator('[data-notice="unreachable"]').textContent(), /无法连接服务器.*本机保存.*电话核实.*前/);
      assert.deepEqual(await shown(), before);
      assert.match(await page.locator("#nearest .failed").first().textContent(), /可能已过时/);
      assert.ok(await page.evaluate(() => window.onemap.map.queryRenderedFeatures().length) > 50, "the map is drawn");
      assert.match(await page.locator("#data-status").textContent(), /过时|停止/);
      await screenshot("offline-zh");
    });

    await check("what was never asked is not answered", async () => {
      const refused = await page.evaluate(() => fetch("api/nearest?point=118.7,26.1&layer=shelters").then(() => false, () => true));
      assert.ok(refused);
    });

    await check("when the server is back, the page is current by itself", async () => {
      server = spawn(program, ["serve", "--store", store, "--listen", new URL(origin).host], { stdio: "ignore" });
      await page.waitForFunction(() => document.querySelector('[data-notice="unreachable"]') === null);
      assert.deepEqual(await shown(), before);
    });

    await check("signing in or out drops what was kept for another user", async () => {
      await page.evaluate(() => navigator.serviceWorker.controller.postMessage({ forget: true }));
      await page.waitForFunction(async () => !(await caches.has("onemap-answers")));
    });
  });
} finally {
  server?.kill();
}

/** The map is drawn and the question is answered. */
async function ready() {
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  await page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false" && document.querySelector("#nearest ol li"));
}

function shown() {
  return page.locator("#nearest ol .name").allTextContents();
}
