// A base map of another server below the layers: base_map.mjs BASE_URL OUT_DIR PORT, where the server of the page expects the
// tiles at PORT; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { png } from "./png.mjs";
import { openScenario } from "./scenario.mjs";

const { origin, more: [port], page, check, screenshot, complaints, run } = await openScenario(
  ["BASE_URL", "OUT_DIR", "PORT"], { viewport: { width: 1366, height: 768 }, expected: /Failed to load resource|ERR_CONNECTION/, elsewhere: /^http:\/\/127\.0\.0\.1:/ });

const CHECKERED = png(2, (x, y) => (x === y ? [180, 210, 180] : [150, 190, 160]));
const asked = [];
const tiles = createServer((request, reply) => {
  asked.push(request.url);
  reply.writeHead(200, { "content-type": "image/png", "access-control-allow-origin": "*" }).end(CHECKERED);
});
await new Promise((resolve) => tiles.listen(Number(port), "127.0.0.1", resolve));

try {
  await run(async () => {
    await check("tiles of the base map are drawn below the layers, and its owner is named", async () => {
      await page.goto(`${origin}/#map=12/26.2/118.8`);
      await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
      assert.ok(asked.length > 0 && asked.every((url) => /^\/\d+\/\d+\/\d+\.png$/.test(url)), String(asked));
      const order = await page.evaluate(() => window.onemap.map.getStyle().layers.map(({ id }) => id));
      assert.deepEqual(order.slice(0, 2), ["paper", "base_map-0"]);
      assert.match(await page.locator(".maplibregl-ctrl-attrib").textContent(), /天地图 GS\(2024\)0650号/);
      await screenshot("base-map-zh");
    });

    await check("a click on the ground still knows the township", async () => {
      const frame = await page.locator("#map").boundingBox();
      await page.mouse.click(frame.x + frame.width * 0.45, frame.y + frame.height * 0.5);
      await page.waitForSelector("#nearest:not([hidden])[aria-busy=false]");
      assert.ok((await page.locator("#nearest .where button").count()) > 0);
    });

    await check("it can be hidden, and is darker in the dark theme", async () => {
      await page.locator("#theme").click();
      await page.waitForFunction(() => window.onemap.map.getPaintProperty("base_map-0", "raster-brightness-max") === 0.5);
      const box = page.locator('[data-layer="base_map"] input');
      if (!(await box.isVisible())) await page.locator("#layers-toggle").click();
      await box.uncheck();
      assert.equal(await page.evaluate(() => window.onemap.map.getLayoutProperty("base_map-0", "visibility")), "none");
      await box.check();
    });

    await check("without it the layers stay, and the page says what is missing", async () => {
      await new Promise((resolve) => {
        tiles.close(resolve);
        tiles.closeAllConnections();
      });
      await page.evaluate(() => window.onemap.map.jumpTo({ center: [118.6, 26.05], zoom: 13 }));
      await page.waitForSelector('[data-notice="base-map"]');
      assert.equal(await page.locator('[data-notice="tiles"]').count(), 0);
      await page.waitForFunction(() => window.onemap.map.queryRenderedFeatures().length > 20);
      assert.deepEqual(complaints.filter((text) => !/ERR_CONNECTION|Failed to load/.test(text)), []);
    });
  });
} finally {
  tiles.closeAllConnections();
  tiles.close();
}
