// Nearest by travel time on roads: lines, times, a road that is closed meanwhile: by_road.mjs BASE_URL OUT_DIR SECRET; exit code 1
// at the first failure.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, more: [secret], page, complaints, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR", "SECRET"], { viewport: { width: 1366, height: 900 } });

await run(async () => {
  await page.goto(`${origin}/#point=118.72,26.1&layer=shelters,teams&k=3`);
  await ready();

  await check("the straight line is the default and says so", async () => {
    assert.equal(await page.locator('#nearest input[name="by"]:checked').inputValue(), "line");
    assert.match(await page.locator("#nearest .foot").textContent(), /直线距离/);
  });

  await check("by road, results have times and lines along roads", async () => {
    await page.locator('#nearest input[name="by"][value="road"]').check({ force: true });
    await ready();
    assert.match(await page.evaluate(() => location.hash), /by=road/);
    for (const far of await page.locator("#nearest ol .far").allTextContents()) assert.match(far, /^(\d+ 小时 ?)?(\d+ 分钟)? · [\d.]+ (米|公里)$/);
    await page.waitForFunction(() => window.onemap.map.queryRenderedFeatures({ layers: ["answers-line"] }).some(({ geometry }) => geometry.coordinates.length > 5));
    await screenshot("by-road-zh");
  });

  const first = page.locator('#nearest [data-layer="shelters"] li button').first();
  await check("a road that is closed changes the answer at once", async () => {
    const before = await first.locator(".far").textContent();
    await page.evaluate((secret) => fetch("api/session", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
    }), secret);
    const id = await first.getAttribute("data-id");
    // Closes the roads of the journey one after the other until the answer is another.
    const closed = await page.evaluate(async (id) => {
      const place = (await (await fetch(`ogc/collections/shelters/items/${id}`)).json()).geometry.coordinates;
      const route = (await (await fetch(`api/routes?from=118.72,26.1&to=${place}`)).json()).features[0].properties;
      const road = route.roads.toSorted((a, b) => b.length_m - a.length_m)[0];
      const item = `ogc/collections/roads/items/${road.id}`;
      const tag = (await fetch(item)).headers.get("etag");
      const reply = await fetch(item, {
        method: "PATCH", headers: { "content-type": "application/merge-patch+json", "if-match": tag }, body: JSON.stringify({ properties: { status: "closed" } }),
      });
      return reply.status;
    }, id);
    assert.equal(closed, 204);
    await page.waitForFunction(([before, id]) => {
      const row = document.querySelector('#nearest [data-layer="shelters"] li button');
      return row && (row.dataset.id !== id || row.querySelector(".far").textContent !== before);
    }, [before, id]);
    await ready();
    await screenshot("by-road-closed-zh");
  });

  await check("on foot it takes longer, in English too", async () => {
    await page.locator('#nearest input[name="by"][value="walk"]').check({ force: true });
    await ready();
    await page.goto(`${origin}/?lang=en#point=118.72,26.1&layer=shelters&k=3&by=walk`);
    await page.reload();
    await ready();
    assert.match(await page.locator("#nearest .foot").textContent(), /open roads/);
    assert.match(await first.locator(".far").textContent(), /^(\d+ h ?)?(\d+ min)? · [\d.]+ (m|km)$/);
    await screenshot("by-walk-en");
  });

  await check("the card of a team shows what it reaches by road, and takes it off again", async () => {
    await page.goto(`${origin}/?lang=zh`);
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    const team = await page.evaluate(async () => (await (await fetch("ogc/collections/teams/items?limit=1")).json()).features[0]);
    await page.locator("#search input").fill(team.properties.name);
    await page.locator(`#search li[role="option"][data-id="${team.id}"]`).click();
    await page.locator(".card .reach-here").click();
    const labels = () => page.evaluate(() => [...new Set(window.onemap.map.querySourceFeatures("reach").map(({ properties }) => properties.label))].sort());
    await page.evaluate(() => window.onemap.map.jumpTo({ zoom: 10.2 }));
    await page.waitForFunction(() => new Set(window.onemap.map.querySourceFeatures("reach").map(({ properties }) => properties.minutes)).size === 3);
    assert.deepEqual(await labels(), ["10 分钟", "20 分钟", "30 分钟"]);
    await page.evaluate(() => new Promise((resolve) => window.onemap.map.once("idle", resolve)));
    await screenshot("reach-zh");
    await page.locator(".card .reach-here").click();
    await page.waitForFunction(() => window.onemap.map.querySourceFeatures("reach").length === 0);
  });

  await check("an area has no journeys, and the page says nothing wrong", async () => {
    await page.goto(`${origin}/#of=warnings/WN-01&layer=shelters&k=3&by=road`);
    await page.reload();
    await ready();
    assert.equal(await page.locator('#nearest input[name="by"]:checked').inputValue(), "line");
    assert.deepEqual(complaints, []);
  });
});

/** The answer is complete. */
function ready() {
  return page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false" && document.querySelector("#nearest ol li"));
}
