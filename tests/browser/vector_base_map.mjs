// A base map of vector tiles below the layers: vector_base_map.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, page, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR"]);

await run(async () => {
  await check("water, roads and places of the base map are drawn below the layers, and its owner is named", async () => {
    await page.goto(`${origin}/#map=12/26.19/118.81`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    const drawn = await page.evaluate(() => window.onemap.map.queryRenderedFeatures().filter(({ source }) => source === "base_map").map(({ layer }) => layer.id));
    for (const id of ["base_map-water", "base_map-motorway", "base_map-place-town"]) assert.ok(drawn.includes(id), `${id}: ${drawn}`);
    const order = await page.evaluate(() => window.onemap.map.getStyle().layers.map(({ source }) => source === "base_map"));
    assert.ok(order.lastIndexOf(true) < order.indexOf(false, 1), "a layer of the base map is above another");
    assert.match(await page.locator(".maplibregl-ctrl-attrib").textContent(), /© OpenStreetMap/);
    await screenshot("vector-base-map");
  });

  await check("it is hidden and shown with its box, and a click on it is one on the empty map", async () => {
    const box = page.locator('[data-layer="base_map"] input');
    if (!(await box.isVisible())) await page.locator("#layers-toggle").click();
    await box.uncheck();
    const visible = () => page.evaluate(() => window.onemap.map.getStyle().layers.filter(({ source, layout }) => source === "base_map" && layout?.visibility !== "none").length);
    assert.equal(await visible(), 0);
    await box.check();
    assert.ok((await visible()) > 8);
    await page.waitForFunction(() => window.onemap.map.queryRenderedFeatures({ layers: ["base_map-place-town"] }).length > 0);
    const at = await page.evaluate(() => {
      const { x, y } = window.onemap.map.project([118.774, 26.191]);
      const frame = window.onemap.map.getContainer().getBoundingClientRect();
      return [frame.left + x, frame.top + y];
    });
    await page.mouse.click(...at);
    await page.waitForSelector("#nearest:not([hidden])[aria-busy=false]");
    assert.equal(await page.locator('.card [data-feature="OSM-1"]').count(), 0);
  });
});
