// Layouts of tablets, small frames and telephones, and the position of the device: layouts.mjs BASE_URL OUT_DIR; exit code 1 at
// the first failure.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const POSITION = { longitude: 118.8632, latitude: 26.2211 };
const { origin, page, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR"], { viewport: { width: 768, height: 900 } });
const ready = () => page.waitForFunction(() => document.documentElement.dataset.ready === "true");
const width = (id) => page.locator(`#${id}`).evaluate((own) => own.clientWidth);

await run(async () => {
  await check("on a tablet nothing is cut off, and the map stays beside the answers", async () => {
    for (const side of [768, 1024]) {
      await page.setViewportSize({ width: side, height: 900 });
      await page.goto("about:blank");
      await page.goto(`${origin}/?lang=en#point=118.86,26.22`);
      await ready();
      await page.waitForSelector('#nearest:not([hidden])[aria-busy="false"]');
      if (!(await page.locator("#layers").isVisible())) await page.locator("#layers-toggle").click();
      assert.ok(await page.locator("#header").evaluate((own) => own.scrollWidth <= own.clientWidth), `${side}: the header`);
      assert.ok((await width("stage")) >= 400, `${side}: the map has ${await width("stage")} px`);
      await screenshot(`tablet-${side}`);
    }
  });

  await check("the answers are printed whole, without the map and the form", async () => {
    await page.emulateMedia({ media: "print" });
    assert.ok(await page.locator("#nearest").evaluate((own) => own.scrollHeight <= own.clientHeight));
    for (const hidden of ["#header", "#stage", "#nearest form", "#nearest .close"]) assert.ok(!(await page.locator(hidden).first().isVisible()), hidden);
    assert.ok(await page.locator('#nearest [data-layer="depots"] li').first().isVisible());
    await screenshot("answers-printed");
    await page.emulateMedia({ media: null });
  });

  await check("a small frame shows the map alone", async () => {
    await page.setViewportSize({ width: 600, height: 400 });
    await page.goto(`${origin}/?embed=1&layers=shelters,teams`);
    await ready();
    assert.ok(!(await page.locator("#situation").isVisible()));
    assert.equal(await page.locator("#map").evaluate((own) => own.clientHeight), 400);
  });

  await check("what is near the officer is shown, and why not if the browser does not permit it", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${origin}/?lang=zh`);
    await ready();
    await page.locator("#locate").click();
    await page.waitForSelector('[data-notice="locate"]');
    await page.locator('[data-notice="locate"] button').click();
    await page.context().grantPermissions(["geolocation"], { origin });
    await page.context().setGeolocation(POSITION);
    await page.locator("#locate").click();
    await page.waitForSelector('#nearest:not([hidden])[aria-busy="false"] [data-layer="shelters"] li');
    assert.match(await page.evaluate(() => location.hash), /point=118\.8632,26\.2211/);
    const { lng, lat } = await page.evaluate(() => window.onemap.map.getCenter());
    assert.ok(Math.hypot(lng - POSITION.longitude, lat - POSITION.latitude) < 0.02, `${lng},${lat}`);
  });

  await check("a chosen incident is seen above its card, and one with an area has a sign", async () => {
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=zh`);
    await ready();
    const signs = await page.evaluate(() => window.onemap.map.queryRenderedFeatures({ layers: ["incidents"] }).map(({ properties }) => properties.id));
    for (const id of ["IN-01", "IN-02", "IN-03"]) assert.ok(signs.includes(id), `${id} of ${signs}`);
    const { geometry } = await (await fetch(`${origin}/ogc/collections/incidents/items/IN-03`)).json();
    await page.locator('#occurrences [data-id="IN-03"]').click();
    await page.waitForSelector('.card [data-feature="IN-03"] .body[aria-busy="false"]');
    await page.waitForFunction(([lon, lat]) => {
      const { map } = window.onemap;
      const { x, y } = map.project([lon, lat]);
      const room = map.getContainer().getBoundingClientRect();
      const card = document.querySelector(".card").getBoundingClientRect();
      return !map.isMoving() && x > 0 && x < room.width && y > 0 && y < Math.min(room.height, card.top - room.top);
    }, geometry.coordinates);
    await screenshot("telephone-incident");
    await page.keyboard.press("Escape");
  });

  await check("targets of panels are large enough for a finger", async () => {
    await page.locator("#draw").click();
    const sizes = await page.locator("#drawing button").evaluateAll((all) => all.map((one) => Math.min(one.offsetWidth, one.offsetHeight)));
    assert.ok(sizes.length > 3 && sizes.every((size) => size >= 44), String(sizes));
    assert.ok(await page.locator("#drawing").evaluate((own) => own.scrollWidth <= own.clientWidth));
    await page.keyboard.press("Escape");
    await page.locator('#tabs [data-tab="layers"]').click();
    const exports = await page.locator(".exchange-export :is(select, a)").evaluateAll((all) => all.map((one) => one.offsetHeight));
    assert.ok(exports.length === 3 && exports.every((size) => size >= 44), String(exports));
    await page.locator("#save-image").click();
    await page.locator("#map-image[open]").waitFor();
    const actions = await page.locator("#map-image[open] .actions > *").evaluateAll((all) => all.map((one) => one.offsetHeight));
    assert.ok(actions.length === 4 && actions.every((size) => size >= 44), String(actions));
    await page.keyboard.press("Escape");
  });

  await check("a position that is none is named", async () => {
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=zh#point=abc,26.22`);
    await ready();
    assert.match(await page.locator('[data-notice="address"]').textContent(), /point=abc,26\.22/);
  });

  await check("a view without the county says so and leads back", async () => {
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=zh#map=12/10/10`);
    await ready();
    await page.setViewportSize({ width: 360, height: 740 });
    const room = await page.locator("#stage").boundingBox();
    for (const tool of await page.locator("#tools button:visible").all()) {
      const { x, y, height } = await tool.boundingBox();
      assert.ok(x >= room.x && y + height <= room.y + room.height, `${await tool.getAttribute("id")} is on the map`);
    }
    const notice = page.locator('[data-notice="outside"]');
    assert.match(await notice.textContent(), /不在本县范围内/);
    await notice.getByRole("button", { name: "显示全县" }).click();
    await notice.waitFor({ state: "detached" });
  });

  await check("the address chooses the layers of the page", async () => {
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=zh&layers=shelters,nope`);
    await ready();
    assert.match(await page.locator('[data-notice="layers"]').textContent(), /nope/);
    const on = await page.locator('#layer-groups section:not([data-group="base"]) .layer:has(input:checked)').evaluateAll((rows) => rows.map(({ dataset }) => dataset.layer));
    assert.deepEqual(on, ["shelters"]);
  });
});
