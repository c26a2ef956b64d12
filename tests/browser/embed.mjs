// The map inside another page, and live layers on the map of another page: embed.mjs BASE_URL OUT_DIR MAPLIBRE_DIR TOKEN; exit
// code 1 at the first failure.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, more: [maplibre, token], page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR", "MAPLIBRE_DIR", "TOKEN"], { viewport: { width: 1024, height: 640 }, elsewhere: /^http:\/\/127\.0\.0\.1:/ });

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>另一个系统</title>
<style>html, body, #map { height: 100%; margin: 0 }</style><div id="map"></div>
<script type="module">
  import { Map, setWorkerUrl } from "./maplibre-gl.mjs";
  import { addOnemap } from "${origin}/viewer/onemap.js";
  setWorkerUrl(new URL("./maplibre-gl-worker.mjs", import.meta.url).href);
  const style = { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": "#dfe7ec" } }] };
  const map = new Map({ container: "map", style, center: [118.86, 26.22], zoom: 12.5 });
  await map.once("load");
  const live = await addOnemap(map, { url: "${origin}/", layers: ["shelters", "teams"] });
  window.other = { map, live };
</script>`;
const other = createServer((incoming, outgoing) => {
  const file = /^\/(maplibre-gl[\w-]*\.mjs)$/.exec(incoming.url)?.[1];
  outgoing.writeHead(200, { "content-type": file ? "text/javascript" : "text/html" });
  outgoing.end(file ? readFileSync(join(maplibre, file)) : PAGE);
});
await new Promise((done) => other.listen(0, "127.0.0.1", done));

await run(async () => {
  await check("an embedded map shows the named layers, and nothing around the map", async () => {
    await page.goto(`${origin}/?embed=1&layers=shelters,nope&theme=dark&view=118.86,26.22,12.5`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    const view = await page.evaluate(() => [...window.onemap.map.getCenter().toArray(), window.onemap.map.getZoom()]);
    assert.deepEqual(view.map((number) => Math.round(number * 1e4) / 1e4), [118.86, 26.22, 12.5]);
    for (const part of ["#header", "#situation", "#layers"]) assert.ok(await page.locator(part).isHidden(), part);
    await page.waitForFunction(() => document.getElementById("notices").textContent.includes("nope"));
    const drawn = await page.evaluate(async () => {
      const { map } = window.onemap;
      if (!map.loaded()) await new Promise((resolve) => map.once("idle", resolve));
      return [...new Set(map.queryRenderedFeatures().map(({ layer }) => layer.metadata?.["onemap:layer"]))];
    });
    assert.ok(drawn.includes("shelters") && !drawn.includes("hazards") && !drawn.includes("risk_zones"), String(drawn));
    await page.screenshot({ path: join(out, "embedded.png") });
  });

  await check("another page draws live layers on its own map, and asks for the nearest", async () => {
    await page.goto(`http://127.0.0.1:${other.address().port}/`);
    await page.waitForFunction(() => window.other !== undefined);
    await page.waitForFunction(() => window.other.map.queryRenderedFeatures().some(({ sourceLayer }) => sourceLayer === "shelters"));
    const layers = await page.evaluate(() => [...new Set(window.other.map.queryRenderedFeatures().map(({ sourceLayer }) => sourceLayer))]);
    assert.deepEqual(layers.toSorted(), ["shelters", "teams"]);
    const found = await page.evaluate(() => window.other.live.nearest([118.86, 26.22], { layer: "shelters", people: 30, k: 3 }));
    assert.equal(found.features.length, 3);
    await assert.rejects(page.evaluate(() => window.other.live.nearest([118.86, 26.22], { layer: "nope" })), /nope/);
    await page.screenshot({ path: join(out, "another-page.png") });
  });

  await check("a change appears there by itself", async () => {
    const created = await fetch(`${origin}/ogc/collections/shelters/items`, {
      method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/geo+json" },
      body: JSON.stringify({ type: "Feature", id: "NEW-1", geometry: { type: "Point", coordinates: [118.865, 26.225] }, properties: { name: "新开避灾点", status: "open" } }),
    });
    assert.equal(created.status, 201);
    await page.waitForFunction(() => window.other.map.querySourceFeatures("onemap:onemap", { sourceLayer: "shelters" })
      .some(({ properties }) => properties.id === "NEW-1"));
    await page.evaluate(() => window.other.live.remove());
    assert.deepEqual(await page.evaluate(() => window.other.map.getStyle().layers.map(({ id }) => id)), ["ground"]);
  });

  await check("the pages did not complain of anything but the layer that does not exist", () => {
    assert.deepEqual(complaints.filter((one) => !/status of (400|404)/.test(one)), []);
    complaints.length = 0;
  });
});
other.close();
