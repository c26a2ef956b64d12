// Running incidents come first, and changes are announced: situation.mjs BASE_URL OUT_DIR TOKEN; exit code 1 at the
// first failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, more: [token], page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR", "TOKEN"]);

const HOUR_MS = 3_600_000;
const AREA = [[118.62, 26.03], [118.76, 25.98], [118.86, 26.06], [118.83, 26.16], [118.7, 26.19], [118.61, 26.13], [118.62, 26.03]];

await run(async () => {
  // Ends the incidents and warnings of the sample, so that the test does not depend on the date.
  for (const layer of ["incidents", "warnings"]) {
    const { features } = await json(`/ogc/collections/${layer}/items`);
    for (const { id } of features) await change(layer, id, { started_at: at(-48), expires_at: at(-24) });
  }
  await create("warnings", "WN-90", { type: "Polygon", coordinates: [AREA] },
    { name: "暴雨红色预警", kind: "rainstorm", severity: 1, status: "active", started_at: at(-1), expires_at: at(5) });
  await create("incidents", "IN-90", point(118.87, 26.243),
    { name: "省道塌方", kind: "road_closure", severity: 4, status: "reported", report: "first", started_at: at(-0.2), expires_at: at(24) });
  await create("incidents", "IN-91", point(118.72, 26.1),
    { name: "河堤漫溢", kind: "flood", severity: 2, status: "responding", report: "follow_up", started_at: at(-3), expires_at: at(24) });
  // Far away, because features must not determine the initial view.
  await create("shelters", "SH-FAR", point(18.86, 26.22), { name: "坐标颠倒的避灾点", status: "standby" });
  // An event stream that is opened now does not report these changes.
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  const catalog = await (await fetch(`${origin}/api/layers`)).json();

  await check("the map opens on the county, regardless of the data", async () => {
    const [west, south, east, north] = catalog.county.bounds;
    const seen = await page.evaluate(() => window.onemap.map.getBounds().toArray().flat());
    assert.ok(seen[0] <= west && seen[1] <= south && seen[2] >= east && seen[3] >= north, `${seen} does not hold the county`);
    assert.ok(seen[3] - seen[1] < 3 * (north - south), `${seen} is far more than the county`);
  });

  await check("running incidents come first by level, ended ones come last and are faded", async () => {
    assert.deepEqual(await ids('[data-situation="incidents"]'), ["IN-91", "IN-90"]);
    assert.deepEqual(await ids('[data-situation="warnings"]'), ["WN-90"]);
    const row = page.locator('#occurrences [data-id="IN-91"]');
    assert.match(await row.textContent(), /II.*河堤漫溢.*处置中 · 续报.*3 小时前/);
    assert.ok((await ids(".past")).includes("IN-01"), "the expired incident of the sample is not among the ended ones");
    // On the map, the open but expired incident of the sample is drawn like a closed one.
    const statuses = await page.evaluate(() => Object.fromEntries(
      window.onemap.map.querySourceFeatures("incidents").map(({ properties }) => [properties.id, properties.status])));
    assert.equal(statuses["IN-01"], "closed");
    assert.equal(statuses["IN-91"], "responding");
    const order = await page.evaluate(() => window.onemap.map.getStyle().layers.map(({ id }) => id));
    assert.ok(order.indexOf("incidents") > order.indexOf("shelters-cluster"), "incidents are drawn below shelters");
  });

  await check("the figures equal those of the server", async () => {
    const [lon, lat] = catalog.county.center;
    const night = (await page.locator('[data-figure="allFreePlacesNight"]').count()) > 0;
    await page.waitForSelector('[data-figure="readyTeams"]');
    const ready = await json(`/api/nearest?point=${lon},${lat}&layer=shelters:1000,teams:1000,depots:1000&within=${catalog.county.code}${night ? "&night=true" : ""}`);
    const free = ready.features.reduce((sum, { properties }) => sum + Math.max(0, properties.free_places ?? 0), 0);
    assert.equal(await figure(night ? "allFreePlacesNight" : "allFreePlaces"), free);
    assert.equal(await figure("readyTeams"), ready.layers[1].returned);
    assert.equal(await figure("stockPlaces"), ready.layers[2].returned);
    const over = await json(`/ogc/collections/stations/items?filter=${encodeURIComponent("value >= threshold")}&limit=1`);
    assert.equal(await figure("stationsOver"), over.numberMatched);
    assert.match(await page.locator('[data-figure="stationsOver"] .note').textContent(), /^读数 .+前$/);
    await page.waitForSelector('[data-figure="peopleInWarnings"]');
    const area = await json("/api/surroundings?warning=WN-90");
    assert.equal(await figure("peopleInWarnings"), area.rings[0].layers.find(({ layer }) => layer === "villages").people.known);
    await page.screenshot({ path: join(out, "situation-zh.png") });
  });

  await check("a click moves the map there and opens the card", async () => {
    await page.locator('#occurrences [data-id="IN-91"]').click();
    await page.waitForSelector('.card [data-feature="IN-91"] .body[aria-busy="false"]');
    await near([118.72, 26.1]);
  });

  await check("the card lists the situation reports of the incident as they arrive", async () => {
    assert.equal(await page.locator(".card [data-list=reports]").count(), 0);
    const report = (id, hours, kind, figures) => create("situation_reports", id, point(118.72, 26.1),
      { name: "池园镇", incident: "IN-91", report: kind, as_of: at(hours), summary: `第${id.at(-1)}次报告`, ...figures });
    await report("SR-91", -2, "first", { evacuated: 120, dead: 0 });
    const rows = page.locator(".card [data-list=reports] li");
    await rows.filter({ hasText: "转移人数 120" }).waitFor();
    assert.match(await rows.first().textContent(), /首报 · 池园镇.*死亡人数 0/s);
    assert.doesNotMatch(await rows.first().textContent(), /失踪/);
    await report("SR-92", -1, "follow_up", { evacuated: 300 });
    await rows.filter({ hasText: "转移人数 300" }).waitFor();
    assert.match(await rows.first().textContent(), /续报/);
    await page.screenshot({ path: join(out, "situation-reports.png") });
    const brief = await (await fetch(`${origin}/api/surroundings?incident=IN-91&f=html`)).text();
    assert.ok(brief.indexOf("第2次报告") > 0 && brief.indexOf("第2次报告") < brief.indexOf("第1次报告"), "the brief lacks the reports");
    await page.keyboard.press("Escape");
  });

  await check("a new incident is announced to screen readers and shown on request", async () => {
    assert.equal(await page.locator("#arrivals").getAttribute("aria-live"), "assertive");
    assert.equal(await page.locator("#sound").getAttribute("aria-pressed"), "false");
    await page.waitForFunction(() => document.querySelector("#data-status .age")?.textContent?.length > 0);
    assert.equal(await page.locator(".toast").count(), 0, "an existing incident is announced");
    await create("incidents", "IN-92", point(118.67, 26.34),
      { name: "山林火情", kind: "forest_fire", severity: 1, status: "reported", report: "first", started_at: at(0), expires_at: at(24) });
    await page.waitForSelector('.toast[data-id="IN-92"]');
    assert.match(await page.locator(".toast").textContent(), /新事件 · I级 特别重大.*山林火情/);
    assert.equal((await ids('[data-situation="incidents"]'))[0], "IN-92");
    await page.screenshot({ path: join(out, "arrival-zh.png") });
    await page.locator('.toast[data-id="IN-92"] .show').click();
    await page.waitForSelector('.card [data-feature="IN-92"]');
    await near([118.67, 26.34]);
    assert.equal(await page.locator(".toast").count(), 0);
  });

  await check("a changed state and an end are announced, and the incident moves to the end of the list", async () => {
    await change("incidents", "IN-92", { status: "responding", report: "follow_up" });
    await page.waitForFunction(() => document.querySelector('.toast[data-id="IN-92"]')?.textContent.includes("事件有更新"));
    await change("incidents", "IN-92", { status: "closed", report: "final" });
    await page.waitForFunction(() => document.querySelector('.toast[data-id="IN-92"]')?.textContent.includes("事件已结束"));
    assert.equal(await page.locator(".toast").count(), 1, "the earlier message is still shown");
    assert.ok((await ids(".past")).includes("IN-92"));
  });

  await check("a narrow screen has one sheet, large targets and no overflow", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    for (const tab of ["situation", "layers", "nearest"]) {
      if (tab !== "situation") await page.locator(`[data-tab="${tab}"]`).click();
      await page.waitForFunction((id) => ["situation", "layers", "nearest"].every((other) =>
        document.getElementById(other).checkVisibility() === (other === id)), tab);
    }
    await page.waitForSelector("#nearest[aria-busy=false]");
    const small = await page.evaluate(() => [...document.querySelectorAll("button, input:not([type=checkbox]), select, summary, a.link, .chip")]
      .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML.slice(0, 90)));
    assert.deepEqual(small, []);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await page.screenshot({ path: join(out, "telephone-zh.png") });
  });

  await check("a wall screen has larger text and a clock with Beijing time", async () => {
    await page.setViewportSize({ width: 3200, height: 900 });
    await page.goto(`${origin}/?wall=1`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    const height = await page.locator("#occurrences .name").first().evaluate((one) => one.getBoundingClientRect().height);
    assert.ok(height > 34, `a line is ${height} px high`);
    const hour = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit" });
    const around = [-60_000, 0, 60_000].map((offset) => hour.format(Date.now() + offset));
    const shown = await page.locator("#clock .time").textContent();
    assert.ok(around.includes(shown.slice(0, 5)), `${shown} is none of ${around}`);
    await page.screenshot({ path: join(out, "wall-zh.png") });
  });

  assert.deepEqual(complaints, []);
});

function at(hours) {
  return new Date(Date.now() + hours * HOUR_MS).toISOString();
}

function point(lon, lat) {
  return { type: "Point", coordinates: [lon, lat] };
}

async function create(layer, id, geometry, properties) {
  await write("POST", `/ogc/collections/${layer}/items`, "application/geo+json", { type: "Feature", id, geometry, properties });
}

async function change(layer, id, properties) {
  await write("PATCH", `/ogc/collections/${layer}/items/${id}`, "application/merge-patch+json", { properties });
}

async function write(method, path, type, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": type, "onemap-anywhere": "true" };
  const reply = await fetch(origin + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${await reply.text()}`);
}

async function json(path) {
  return (await fetch(origin + path)).json();
}

function ids(within) {
  return page.locator(`#occurrences ${within} [data-id]`).evaluateAll((rows) => rows.map((row) => row.dataset.id));
}

async function figure(name) {
  const text = await page.locator(`[data-figure="${name}"] dd`).evaluate((one) => one.firstChild.textContent);
  return Number(text.replaceAll(",", ""));
}

/** Waits until the map has come to rest there. */
function near([lon, lat]) {
  return page.waitForFunction(([lon, lat]) => {
    const { map } = window.onemap;
    const { lng, lat: y } = map.getCenter();
    return !map.isMoving() && Math.hypot(lng - lon, y - lat) < 0.01;
  }, [lon, lat]);
}
