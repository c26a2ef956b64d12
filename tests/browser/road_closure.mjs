// A road is closed and opened from its card, and the open answer follows: road_closure.mjs BASE_URL OUT_DIR DISPATCHER EDITOR;
// exit code 1 at the first failure. The editor may write roads only.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, more: [dispatcher, editor], page, complaints, check, screenshot, run } = await openScenario(
  ["BASE_URL", "OUT_DIR", "DISPATCHER", "EDITOR"], { viewport: { width: 1366, height: 900 } });
const headers = { authorization: `Bearer ${dispatcher}` };
const FROM = "118.72,26.1";
const farther = () => page.locator('#nearest [data-layer="shelters"] li button').first().evaluate((row) => `${row.dataset.id} ${row.querySelector(".far").textContent}`);

await run(async () => {
  await page.goto(`${origin}/#point=${FROM}&layer=shelters&k=3&by=road`);
  await signIn(dispatcher);
  await answered();
  const before = await farther();
  const road = await roadOf(before.split(" ")[0]);

  let incident;
  await check("a dispatcher closes a road by an incident where it was clicked, and the answer goes around", async () => {
    await clickRoad(road.at);
    const closedRoad = await page.locator(".card article").getAttribute("data-feature");
    await screenshot("close-road-zh");
    // A click asks from there; the question is asked again from where it was.
    await page.evaluate((hash) => (location.hash = hash), `point=${FROM}&layer=shelters&k=3&by=road`);
    await page.waitForFunction(() => document.querySelector("#nearest .question form input")?.value === "118.72,26.1");
    await answered();
    assert.equal(await farther(), before);
    await page.locator(".card .close-road").click();
    await page.waitForFunction((before) => {
      const row = document.querySelector('#nearest [data-layer="shelters"] li button');
      return !row || `${row.dataset.id} ${row.querySelector(".far").textContent}` !== before;
    }, before);
    const { features } = await (await fetch(`${origin}/ogc/collections/incidents/items?kind=road_closure&sortby=-started_at&limit=1`, { headers })).json();
    [incident] = features;
    assert.match(incident.properties.name, /封闭$/);
    road.id = closedRoad;
    assert.equal(incident.properties.status, "responding");
    const { features: stopped } = await (await fetch(`${origin}/api/routes?from=${FROM}&to=${road.to}`, { headers })).json();
    assert.ok((stopped[0]?.properties.duration_s ?? Infinity) > road.duration_s);
  });

  await check("the card of the road opens it again", async () => {
    await openCard(road.id);
    const open = page.locator(".card .open-road").filter({ hasText: incident.properties.name });
    await open.waitFor();
    await screenshot("open-road-zh");
    await open.click();
    await page.waitForFunction((before) => {
      const row = document.querySelector('#nearest [data-layer="shelters"] li button');
      return row && `${row.dataset.id} ${row.querySelector(".far").textContent}` === before;
    }, before);
    const { properties } = await (await fetch(`${origin}/ogc/collections/incidents/items/${incident.id}`, { headers })).json();
    assert.equal(properties.status, "closed");
  });

  await check("an account that may not write incidents sets the status of the road, and takes it back", async () => {
    await signIn(editor);
    await openCard(road.id);
    await page.locator(".card .close-road").click();
    await page.waitForSelector("#last-edit .undo");
    assert.equal(await status(road.id), "closed");
    await openCard(road.id);
    await page.locator(".card .open-road").click();
    await page.waitForFunction(() => document.querySelector("#last-edit p").textContent.startsWith("道路已重新开放"));
    assert.equal(await status(road.id), "open");
    await page.locator("#last-edit .undo").click();
    await page.waitForFunction(() => document.querySelector("#last-edit p").textContent === "已撤销。");
    assert.equal(await status(road.id), "closed");
  });

  await check("the public is offered nothing", async () => {
    await page.evaluate(() => fetch("api/session", { method: "DELETE" }));
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    await openCard(road.id);
    assert.equal(await page.locator(".card .closure").count(), 0);
  });
  assert.deepEqual(complaints, []);
});

async function signIn(secret) {
  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);
  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true" && !document.getElementById("create").hidden);
}

/** The longest road of the journey to a shelter. */
async function roadOf(shelter) {
  const to = (await (await fetch(`${origin}/ogc/collections/shelters/items/${shelter}`, { headers })).json()).geometry.coordinates.join(",");
  const [route] = (await (await fetch(`${origin}/api/routes?from=${FROM}&to=${to}`, { headers })).json()).features;
  const [{ id }] = route.properties.roads.toSorted((a, b) => b.length_m - a.length_m);
  return { id, to, duration_s: route.properties.duration_s, at: middleOf(route.geometry.coordinates) };
}

/** The middle of the longest part of a line. */
function middleOf(line) {
  const parts = line.slice(1).map((end, at) => ({ start: line[at], end, length: Math.hypot(end[0] - line[at][0], end[1] - line[at][1]) }));
  const { start, end } = parts.toSorted((a, b) => b.length - a.length)[0];
  return [(start[0] + end[0]) / 2, (start[1] + end[1]) / 2];
}

/** Opens the card of the road there by a click. */
async function clickRoad(place) {
  await page.evaluate((center) => window.onemap.map.jumpTo({ center, zoom: 15 }), place);
  await page.waitForFunction((place) => {
    const { x, y } = window.onemap.map.project(place);
    return window.onemap.map.queryRenderedFeatures([x, y]).some(({ sourceLayer }) => sourceLayer === "roads");
  }, place);
  const frame = await page.locator("#map").boundingBox();
  const at = await page.evaluate((place) => window.onemap.map.project(place), place);
  await page.mouse.click(frame.x + at.x, frame.y + at.y);
  await page.waitForSelector(".card article");
  while ((await page.locator(".card article p.quiet").first().textContent()) !== "道路") await page.locator(".card .leaf button").last().click();
  await page.locator(".card .close-road").waitFor();
}

async function status(id) {
  return (await (await fetch(`${origin}/ogc/collections/roads/items/${id}`, { headers })).json()).properties.status;
}

async function openCard(id) {
  await page.locator("#search input").fill(id);
  await page.locator(`#search li[data-id="${id}"]`).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForSelector(`.card article[data-feature="${id}"] .body[aria-busy="false"]`);
  await page.waitForFunction(() => !document.querySelector('.card .closure[aria-busy="true"]'));
}

/** The answer is complete. */
function answered() {
  return page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false" && document.querySelector("#nearest ol li"));
}
