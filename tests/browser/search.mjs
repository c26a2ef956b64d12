// The search field and the audits in a real Chromium: search.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR"]);

await run(async () => {
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  await page.locator("#layers-toggle").click();

  await check("initials find a township, the keyboard chooses it and its card opens", async () => {
    const field = page.locator("#search input");
    await field.fill("mcz");
    await page.waitForSelector('#search li[role="option"]');
    const names = await page.locator("#search li .name").allTextContents();
    assert.equal(names[0], "梅城镇");
    assert.ok(names.every((one) => /梅城[镇至]/.test(one)), names.join(" "));
    await page.screenshot({ path: join(out, "search-zh.png") });
    await field.press("ArrowDown");
    await field.press("ArrowDown");
    const id = await page.locator('#search li[aria-selected="true"]').getAttribute("data-id");
    await field.press("Enter");
    await page.waitForSelector(`.card article[data-feature="${id}"] .body[aria-busy="false"]`);
    assert.equal(await page.locator("#search ul").isHidden(), true);
    await page.keyboard.press("Escape");
    assert.equal(await field.evaluate((own) => own === document.activeElement), true, "the field has the focus again");
    await field.press("Enter");
    await page.waitForSelector(".card article");
    await page.locator(".card .start-edit, .card .ask").first().click();
    await page.waitForFunction(() => !document.querySelector("#nearest").hidden);
    assert.equal(await page.locator(".card article").count(), 0);
    assert.equal(await page.locator("#search ul").isHidden(), true, "no list lies over another panel");
    await page.locator("#nearest .close").click();
  });

  await check("a search without results shows a message", async () => {
    await page.locator("#search input").fill("没有这个名字");
    await page.waitForSelector('#search li[role="status"]');
    await page.locator("#search input").press("Escape");
  });

  await check("a position, stock and an abbreviated name are found; an area is shown whole", async () => {
    const field = page.locator("#search input");
    const find = async (words) => {
      await field.fill(words);
      await page.waitForFunction((words) => document.querySelector("#search input").value === words && document.querySelector("#search ul").ariaBusy === "false" && document.querySelectorAll('#search li[role="option"]').length > 0, words);
      return page.locator("#search li .name").allTextContents();
    };
    for (const words of ["118.86,26.22", "26.22，118.86"]) {
      assert.deepEqual(await find(words), ["118.86, 26.22"]);
      await field.press("Enter");
      await page.waitForFunction(() => /point=118.86,26.22/.test(location.hash) && !document.getElementById("nearest").hidden);
      await page.locator("#nearest .close").click();
    }
    assert.ok((await find("梅城小学")).includes("梅城镇中心小学"));
    assert.ok((await find("mcxx")).includes("梅城镇中心小学"));
    assert.ok((await find("县医院")).every((name) => /^县.*医院$/.test(name)));
    const depots = (await (await fetch(`${origin}/ogc/collections/depots/items?limit=1000`)).json()).features;
    const tents = depots.filter(({ properties: { stock } }) => JSON.stringify(stock).includes("帐篷")).map(({ properties: { name } }) => name);
    assert.ok((await find("帐篷")).every((name) => tents.includes(name)));
    await find("桔林乡");
    await field.press("Enter");
    const township = (await (await fetch(`${origin}/ogc/collections/townships/items?limit=100`)).json()).features.find(({ properties: { name } }) => name === "桔林乡");
    const corners = township.geometry.coordinates.flat(township.geometry.type === "Polygon" ? 1 : 2);
    await page.waitForFunction((corners) => !window.onemap.map.isMoving() && corners.every((corner) => window.onemap.map.getBounds().contains(corner)), corners);
    assert.ok(await page.evaluate(() => window.onemap.map.getZoom()) > 10);
    await page.keyboard.press("Escape");
  });

  const list = async (path) => (await (await fetch(origin + path)).json());
  const rows = (id) => page.waitForFunction((id) => document.querySelector('#nearest [data-list="findings"] .tally') && window.onemap.map.getLayer(id), `audit-${id}`);
  const shown = (count) => page.waitForFunction((count) => document.querySelector('#nearest [data-list="findings"] .tally')?.textContent === count, count.toLocaleString("en-US"));

  await check("the siting audit is drawn and listed by township, with its margin as a field", async () => {
    await page.locator('[data-audit="siting"] input').check();
    await rows("siting");
    await shown((await list("/api/audits/siting")).features.length);
    await page.waitForFunction(() => window.onemap.map.queryRenderedFeatures({ layers: ["audit-siting"] }).length > 20);
    assert.equal(await page.evaluate(() => window.onemap.map.getLayoutProperty("audit-veil", "visibility")), "visible");
    await page.screenshot({ path: join(out, "audit-siting.png") });
    await page.locator('[data-field="margin_m"]').fill("200");
    await page.locator(".limits button").click();
    const wider = (await list("/api/audits/siting?margin_m=200")).features;
    await shown(wider.length);
    const [township] = await page.locator('[data-list="townships"] .link').all();
    const name = await township.textContent();
    await township.click();
    const code = (await list("/ogc/collections/townships/items?limit=100")).features.find(({ properties }) => properties.name === name).properties.code.slice(0, 9);
    await shown(wider.filter(({ properties }) => properties.region_code.startsWith(code)).length);
    const csv = await (await fetch(new URL(await page.locator("#nearest a[download]").getAttribute("href"), page.url()))).text();
    assert.equal(csv.trim().split("\n").length, wider.length + 1);
    await page.locator('[data-audit="siting"] input').uncheck();
    await page.waitForFunction(() => document.getElementById("nearest").hidden && window.onemap.map.getLayoutProperty("audit-veil", "visibility") === "none");
  });

  await check("the coverage audit lists villages beyond the limits and zooms to one", async () => {
    await page.locator('[data-audit="coverage"] input').check();
    await rows("coverage");
    const beyond = (found) => found.features.filter(({ properties }) => properties.beyond.length > 0);
    await shown(beyond(await list("/api/coverage")).length);
    await page.screenshot({ path: join(out, "audit-coverage.png") });
    await page.locator('[data-field="shelter_m"]').fill("500");
    await page.locator(".limits button").click();
    const far = beyond(await list("/api/coverage?shelter_m=500"));
    await shown(far.length);
    const id = await page.locator('[data-list="findings"] li button').first().getAttribute("data-id");
    await page.locator('[data-list="findings"] li button').first().click();
    const place = far.find((one) => one.id === id).geometry.coordinates;
    await page.waitForFunction((place) => !window.onemap.map.isMoving() && window.onemap.map.getZoom() > 13 && window.onemap.map.getBounds().contains(place), place);
  });
  assert.deepEqual(complaints, []);
});
