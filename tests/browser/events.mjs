// Moves a shelter in the store and checks that it moves on the open map: events.mjs BASE_URL OUT_DIR GEOPACKAGE; exit code 1
// at the first failure.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, more: [file], browser, page, check, run } = await openScenario(["BASE_URL", "OUT_DIR", "GEOPACKAGE"], { expected: /ERR_INTERNET_DISCONNECTED/ });

const ID = "SH-0001";
const [OLD, NEW] = [[118.67, 26.2], [118.86, 26.3]];
/** Shelters are not clustered from zoom 11 on. */
const ZOOM = 11.2;
const requests = [];

browser.context.on("request", (request) => requests.push(new URL(request.url()).pathname));

await run(async () => {
  await check("the map opens and subscribes to events", async () => {
    move(OLD);
    const greeted = page.waitForRequest((request) => request.url().includes("/api/events"));
    await page.goto(`${origin}/#map=${ZOOM}/26.25/118.765`);
    await greeted;
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    await page.waitForFunction(() => document.querySelector("#data-status .age")?.textContent?.length > 0);
    await waitForShelter(OLD);
    await page.screenshot({ path: join(out, "events-before.png") });
  });

  await check("a shelter moves on the map, and only its two tiles are requested", async () => {
    const loaded = await page.evaluate(() => window.onemap.map.areTilesLoaded());
    assert.ok(loaded, "the map was still busy");
    requests.length = 0;
    await page.evaluate(() => (window.notReloaded = true));
    move(NEW);
    await waitForShelter(NEW);
    await page.waitForFunction(() => window.onemap.map.areTilesLoaded());
    assert.equal(await page.evaluate(() => window.notReloaded), true);
    const asked = new Set(requests.filter((path) => /^\/tiles\/.*\/\d+\/\d+\/\d+$/.test(path)).map((path) => path.split("/").slice(-3).join("/")));
    const zooms = new Set([...asked].map((tile) => Number(tile.split("/")[0])));
    const expected = new Set([...zooms].flatMap((z) => [OLD, NEW].map((place) => tileAt(place, z))));
    assert.ok(asked.size >= 1 && asked.size <= 2 * zooms.size, [...asked].join(" "));
    for (const tile of asked) assert.ok(expected.has(tile), `${tile} was asked for; expected ${[...expected].join(" ")}`);
    await page.screenshot({ path: join(out, "events-after.png") });
  });

  await check("an open result list is updated", async () => {
    await page.evaluate(() => document.getElementById("ask-centre").click());
    await page.waitForSelector("#nearest:not([hidden])[aria-busy=false]");
    const point = (await page.locator("#nearest .question input").inputValue()).split(",").map(Number);
    move(point);
    await page.waitForFunction((id) => document.querySelector('#nearest [data-layer="shelters"] li button')?.dataset.id === id, ID);
  });

  await check("a lost connection is reported until it is restored", async () => {
    await browser.context.setOffline(true);
    // Going offline does not close open connections, so the page reconnects.
    await page.evaluate(() => {
      for (const hidden of [true, false]) {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
      }
    });
    await page.waitForFunction(() => document.querySelector("#data-status").classList.contains("bad"));
    await page.screenshot({ path: join(out, "events-lost.png") });
    move(NEW);
    await browser.context.setOffline(false);
    await page.waitForFunction(() => !document.querySelector("#data-status").classList.contains("bad"));
    await waitForShelter(NEW);
  });
});

/** Moves the shelter in the file, like another program: GeoPackage header, then well-known binary. */
function move([lon, lat]) {
  const program = [
    "import sqlite3,struct,sys", "path, id, lon, lat = sys.argv[1:]", "c = sqlite3.connect(path, timeout=30)",
    "blob = bytes.fromhex('47500001e61000000101000000') + struct.pack('<dd', float(lon), float(lat))",
    "c.execute('update shelters set geom = ? where id = ?', (blob, id))", "c.commit()",
  ].join("\n");
  execFileSync("python3", ["-c", program, file, ID, String(lon), String(lat)]);
}

/** Waits until the tiles on the map have the shelter there and only there. */
function waitForShelter([lon, lat]) {
  return page.waitForFunction(([id, lon, lat]) => {
    const all = window.onemap.map.querySourceFeatures("onemap", { sourceLayer: "shelters" }).filter((one) => one.properties.id === id);
    const off = ({ geometry: { coordinates } }) => Math.hypot(coordinates[0] - lon, coordinates[1] - lat);
    return all.length > 0 && all.every((one) => off(one) < 0.001);
  }, [ID, lon, lat]);
}

function tileAt([lon, lat], z) {
  const side = 2 ** z;
  const phi = (lat * Math.PI) / 180;
  return `${z}/${Math.floor((lon / 360 + 0.5) * side)}/${Math.floor((0.5 - Math.asinh(Math.tan(phi)) / (2 * Math.PI)) * side)}`;
}
