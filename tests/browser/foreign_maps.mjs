// The style on the maps of other programs, MapLibre GL JS 4.7 and 5.6 and OpenLayers, in a page of another origin:
// foreign_maps.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openScenario } from "./scenario.mjs";

const modules = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules");
const TYPES = { ".js": "text/javascript; charset=utf-8", ".css": "text/css" };
const MAP = '<!doctype html><meta charset="utf-8"><div id="map" style="width:900px;height:700px"></div><script>window.errors = [];</script>';
const maplibre = (name) => `${MAP}<link rel="stylesheet" href="/${name}/dist/maplibre-gl.css"><script src="/${name}/dist/maplibre-gl.js"></script>
<script>const map = (window.map = new maplibregl.Map({ container: "map", style: STYLE, hash: true }));
map.on("error", ({ error }) => errors.push(String(error?.message ?? error))); map.once("idle", () => (window.done = true));</script>`;
const PAGES = {
  "/maplibre-4": maplibre("maplibre-gl-4"),
  "/maplibre-5": maplibre("maplibre-gl-5"),
  "/openlayers": `${MAP}<link rel="stylesheet" href="/ol/ol.css"><script src="/ol/dist/ol.js"></script><script src="/ol-mapbox-style/dist/olms.js"></script>
<script>olms.apply("map", STYLE).then((map) => { window.map = map; map.once("rendercomplete", () => (window.done = true)); }, (error) => errors.push(String(error)));</script>`,
};
const { origin, page, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR"], { viewport: { width: 920, height: 720 }, elsewhere: /^http:\/\/127\.0\.0\.1:/ });

const pages = createServer((request, reply) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const file = join(modules, pathname);
  if (PAGES[pathname]) return reply.writeHead(200, { "content-type": "text/html" }).end(PAGES[pathname].replace("STYLE", JSON.stringify(`${origin}/styles/onemap.json`)));
  if (!existsSync(file) || !statSync(file).isFile()) return reply.writeHead(pathname === "/favicon.ico" ? 204 : 404).end();
  return reply.writeHead(200, { "content-type": TYPES[pathname.slice(pathname.lastIndexOf("."))] ?? "application/octet-stream" }).end(readFileSync(file));
});
await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
const elsewhere = `http://127.0.0.1:${pages.address().port}`;

/** Opens a page and waits until its map is drawn. */
async function open(path, hash = "") {
  await page.goto("about:blank");
  await page.goto(`${elsewhere}${path}${hash}`);
  await page.waitForFunction(() => window.done === true || window.errors.length > 0);
  assert.deepEqual(await page.evaluate(() => window.errors), [], path);
}

/** The texts that are drawn. */
const labels = () => page.evaluate(() => {
  const texts = window.map.queryRenderedFeatures().filter(({ layer }) => layer.type === "symbol").map(({ properties }) => properties.name);
  return [...new Set(texts.filter((text) => text !== undefined))];
});

try {
  await run(async () => {
    for (const version of ["4", "5"]) {
      await check(`MapLibre GL JS ${version} draws the style, with names, clusters and dashes`, async () => {
        const glyphs = [];
        const note = (response) => response.url().includes("/fonts/") && glyphs.push(response.status());
        page.on("response", note);
        await open(`/maplibre-${version}`);
        const names = await labels();
        assert.ok(names.includes("梅城镇"), String(names));
        const drawn = await page.evaluate(() => [...new Set(window.map.queryRenderedFeatures().map(({ layer }) => layer.id))]);
        assert.ok(drawn.some((id) => id.includes("cluster")), String(drawn));
        assert.ok(glyphs.length > 0 && glyphs.every((status) => status === 200), String(glyphs));
        await screenshot(`maplibre-${version}`);
        await open(`/maplibre-${version}`, "#14/26.22/118.86");
        const near = await page.evaluate(() => [...new Set(window.map.queryRenderedFeatures().map(({ layer }) => layer.id))]);
        assert.ok(near.some((id) => id.startsWith("pipelines-")), String(near));
        page.off("response", note);
      });
    }

    await check("OpenLayers draws the style", async () => {
      await open("/openlayers");
      const drawn = await page.evaluate(() => {
        const [width, height] = window.map.getSize();
        const found = new Set();
        for (let x = 10; x < width; x += 20) for (let y = 10; y < height; y += 20) for (const feature of window.map.getFeaturesAtPixel([x, y])) found.add(feature.get("mvt:layer") ?? feature.get("layer"));
        return [...found];
      });
      for (const layer of ["townships", "hazards", "risk_zones"]) assert.ok(drawn.includes(layer), `${layer}: ${drawn}`);
      await screenshot("openlayers");
    });
  });
} finally {
  pages.closeAllConnections();
  pages.close();
}
