// A base map in GCJ-02 is drawn where the layers are: gcj02.mjs BASE_URL OUT_DIR PORT, where the server of the page expects the
// tiles at PORT; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { png } from "./png.mjs";
import { openScenario } from "./scenario.mjs";

const { origin, more: [port], page, check, screenshot, run } = await openScenario(
  ["BASE_URL", "OUT_DIR", "PORT"], { viewport: { width: 900, height: 700 }, elsewhere: /^http:\/\/127\.0\.0\.1:/ });

/** Where the base map has a mark: WGS 84. */
const PLACES = [[118.8, 26.3], [118.7123, 26.0544]];
const SIZE = 256;
const MARK_PX = 4;
const RED = [230, 20, 20];

const shifted = await Promise.all(PLACES.map(async ([lon, lat]) => {
  const { systems } = await (await fetch(`${origin}/api/coordinates?point=${lon},${lat}`)).json();
  return systems.find(({ crs }) => crs === "gcj02").coordinates;
}));
const tiles = createServer((request, reply) => {
  const [z, x, y] = /^\/(\d+)\/(\d+)\/(\d+)\.png$/.exec(request.url).slice(1).map(Number);
  const marks = shifted.map((place) => pixelOf(place, z).map((at, axis) => at - [x, y][axis] * SIZE));
  const colour = (column, row) => (marks.some(([a, b]) => Math.abs(column + 0.5 - a) <= MARK_PX && Math.abs(row + 0.5 - b) <= MARK_PX) ? RED : [240, 240, 235]);
  reply.writeHead(200, { "content-type": "image/png", "access-control-allow-origin": "*" }).end(png(SIZE, colour));
});
await new Promise((resolve) => tiles.listen(Number(port), "127.0.0.1", resolve));

try {
  await run(async () => {
    await check("marks of the base map are at their places at several zooms", async () => {
      await page.goto(`${origin}/?embed=1&layers=incidents`);
      await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
      // Only the base map.
      await page.evaluate(() => {
        for (const { id, type } of window.onemap.map.getStyle().layers) if (type !== "raster") window.onemap.map.setLayoutProperty(id, "visibility", "none");
      });
      for (const place of PLACES) {
        for (const zoom of [11, 13, 15, 16.5]) {
          const off = await markNear(place, zoom);
          assert.ok(off !== undefined && off <= 1.6, `${place} at zoom ${zoom}: the mark is ${off} px away`);
        }
      }
      await screenshot("gcj02");
    });

    await check("the layers are not moved", async () => {
      const at = await page.evaluate(() => window.onemap.map.getSource("onemap").tiles?.[0] ?? window.onemap.map.getSource("onemap").url ?? "");
      assert.doesNotMatch(String(at), /gcj02/);
    });
  });
} finally {
  tiles.closeAllConnections();
  tiles.close();
}

/** Distance between a place on the screen and the middle of the mark, pixels; undefined without a mark. */
async function markNear(place, zoom) {
  await page.evaluate(async ([center, zoom]) => {
    const { map } = window.onemap;
    map.jumpTo({ center, zoom });
    await new Promise((resolve) => map.once("idle", resolve));
  }, [place, zoom]);
  const frame = await page.locator("#map").boundingBox();
  const clip = { x: Math.round(frame.x + frame.width / 2) - 40, y: Math.round(frame.y + frame.height / 2) - 40, width: 80, height: 80 };
  const middle = [frame.x + frame.width / 2 - clip.x, frame.y + frame.height / 2 - clip.y];
  const encoded = (await page.screenshot({ clip })).toString("base64");
  return page.evaluate(async ([encoded, middle]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${encoded}`;
    await image.decode();
    const canvas = new OffscreenCanvas(80, 80);
    const out = canvas.getContext("2d");
    out.drawImage(image, 0, 0);
    const { data } = out.getImageData(0, 0, 80, 80);
    let [sumX, sumY, count] = [0, 0, 0];
    for (let at = 0; at < 6400; at += 1) {
      if (data[4 * at] - data[4 * at + 1] < 100) continue;
      [sumX, sumY, count] = [sumX + (at % 80) + 0.5, sumY + Math.floor(at / 80) + 0.5, count + 1];
    }
    return count === 0 ? undefined : Math.hypot(sumX / count - middle[0], sumY / count - middle[1]);
  }, [encoded, middle]);
}

/** The pixel of a position in the whole world at a zoom. */
function pixelOf([lon, lat], z) {
  const phi = (lat * Math.PI) / 180;
  return [(lon / 360 + 0.5) * 2 ** z * SIZE, (0.5 - Math.asinh(Math.tan(phi)) / (2 * Math.PI)) * 2 ** z * SIZE];
}
