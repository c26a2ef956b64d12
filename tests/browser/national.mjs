// The features of a whole country: opened, panned down to a town and asked about: national.mjs BASE_URL OUT_DIR; exit code 1 at the
// first failure. The seconds are printed and not judged.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const MAX_TILE_BYTES = 500_000;
const { origin, page, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR"]);

const sizes = [];
page.on("response", async (response) => {
  if (/\/tiles\/[^/]+\/\d+\/\d+\/\d+/.test(response.url()) && response.status() === 200) sizes.push((await response.body().catch(() => "")).length);
});

/** Moves the map and waits until everything is drawn. */
async function look(center, zoom) {
  const started = Date.now();
  await page.evaluate(async ([center, zoom]) => {
    const { map } = window.onemap;
    map.jumpTo({ center, zoom });
    await new Promise((resolve) => map.once("idle", resolve));
  }, [center, zoom]);
  console.log(`zoom ${zoom}: ${Date.now() - started} ms`);
}

/** The features of a layer that are drawn, with those in clusters. */
const drawn = (layer) => page.evaluate((layer) => {
  const counted = new Map();
  for (const { properties, layer: own } of window.onemap.map.queryRenderedFeatures()) {
    if (own["source-layer"] === layer && own.type !== "symbol") counted.set(`${properties.id ?? properties.bbox}`, Number(properties.count ?? 1));
  }
  return [...counted.values()].reduce((sum, count) => sum + count, 0);
}, layer);

await run(async () => {
  const count = async (layer) => (await (await fetch(`${origin}/ogc/collections/${layer}/items?limit=1`)).json()).numberMatched;
  const [one] = (await (await fetch(`${origin}/ogc/collections/shelters/items?limit=1`)).json()).features;

  await check("the whole country opens, and every hazard is drawn or counted", async () => {
    const started = Date.now();
    await page.goto(`${origin}/#map=3.3/36.5/105.5`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    console.log(`open: ${Date.now() - started} ms`);
    assert.equal(await drawn("hazards"), await count("hazards"));
    await screenshot("national-3");
  });

  await check("it is followed down to a town, in tiles of bounded size", async () => {
    for (const zoom of [5, 6, 8, 10, 12, 14]) await look(one.geometry.coordinates, zoom);
    await screenshot("national-14");
    assert.ok(sizes.length > 20 && Math.max(...sizes) <= MAX_TILE_BYTES, `${sizes.length} tiles, the largest of ${Math.max(...sizes)} bytes`);
    const features = await page.evaluate((id) => window.onemap.map.queryRenderedFeatures().some(({ properties }) => properties.id === id), one.id);
    assert.ok(features, "the shelter is not drawn");
  });

  await check("a question is answered like the API answers it", async () => {
    const started = Date.now();
    await page.locator("#ask-centre").click();
    await page.waitForSelector('#nearest:not([hidden])[aria-busy="false"] [data-layer="shelters"] li');
    console.log(`nearest: ${Date.now() - started} ms`);
    const [place] = (await page.locator("#nearest .question input").inputValue()).match(/^-?[\d.]+,-?[\d.]+$/);
    const answer = await (await fetch(`${origin}/api/nearest?point=${place}&layer=shelters&k=3`)).json();
    const shown = await page.locator('#nearest [data-layer="shelters"] > ol > li button[data-id]').evaluateAll((all) => all.map((one) => one.dataset.id));
    assert.deepEqual(shown, answer.features.map(({ id }) => id));
  });
});
