// The wall screen: tour, ticker, board, clock and the size of type: wall.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, page, complaints, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR"], { viewport: { width: 1920, height: 1080 }, reducedMotion: "no-preference" });

const ready = () => page.waitForFunction(() => document.documentElement.dataset.ready === "true");
/** The stop of the tour once it is another one than before. */
async function stopAfter(before) {
  const stop = await page.waitForFunction((before) => {
    const { stop } = document.getElementById("tour").dataset;
    return stop !== undefined && stop !== "" && stop !== before ? stop : undefined;
  }, before);
  return stop.jsonValue();
}

await run(async () => {
  const list = async (layer) => (await (await fetch(`${origin}/ogc/collections/${layer}/items?f=json&limit=100`)).json()).features;
  const running = (await Promise.all(["incidents", "warnings"].map(list))).flat()
    .filter(({ properties: { status, expires_at } }) => !["closed", "lifted"].includes(status) && !(Date.parse(expires_at) <= Date.now()));
  const over = (await list("stations")).filter(({ properties: { value, threshold } }) => value >= threshold);
  assert.ok(running.length > 2 && over.length > 2);

  await page.goto(`${origin}/?wall=1&tour=1`);
  await ready();

  await check("the tour shows every running incident and warning, and any input pauses it", async () => {
    const seen = new Set();
    let stop;
    while (seen.size < running.length) {
      stop = await stopAfter(stop);
      seen.add(stop.split("/")[1]);
      const name = running.find(({ id }) => id === stop.split("/")[1])?.properties.name;
      assert.equal(await page.evaluate((stop) => (document.getElementById("tour").dataset.stop === stop ? document.querySelector("#tour .name").textContent : undefined), stop) ?? name, name);
    }
    assert.deepEqual([...seen].sort(), running.map(({ id }) => id).sort());
    await stopAfter(stop);
    await page.keyboard.press("Shift");
    await page.waitForFunction(() => /已暂停/.test(document.getElementById("tour").textContent));
    await page.waitForFunction(() => !window.onemap.map.isMoving());
  });

  await check("the ticker and the board name the news and the stations over their threshold", async () => {
    const texts = await page.locator("#ticker ul:not([aria-hidden]) li").allTextContents();
    for (const { properties: { name } } of running) assert.ok(texts.some((text) => text.includes(name)), `${name}: ${texts.join(" | ")}`);
    for (const { properties: { name } } of over) assert.ok(texts.some((text) => text.includes(name)), name);
    assert.equal(await page.locator("#board li").count(), over.length);
    assert.equal(await page.locator("#board .tally").textContent(), String(over.length));
    assert.notEqual(await page.locator("#ticker .track").evaluate((track) => getComputedStyle(track).animationName), "none");
    await page.emulateMedia({ reducedMotion: "reduce" });
    assert.equal(await page.locator("#ticker .track").evaluate((track) => getComputedStyle(track).animationName), "none");
    await page.emulateMedia({ reducedMotion: null });
  });

  await check("the clock shows Beijing time", async () => {
    const expected = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit" });
    const minutes = [Date.now() - 60_000, Date.now(), Date.now() + 60_000].map((at) => expected.format(at));
    const shown = await page.locator("#clock .time").textContent();
    assert.ok(minutes.includes(shown.slice(0, 5)), shown);
  });

  await check("type grows with the screen, panels fill it and nothing is cut off", async () => {
    const sizes = [];
    for (const [width, height] of [[1920, 1080], [3840, 2160]]) {
      await page.setViewportSize({ width, height });
      await page.waitForFunction((width) => Number(document.documentElement.style.getPropertyValue("--scale")) === width / 1600, width);
      const boxes = await page.evaluate(() => Object.fromEntries(["situation", "stage", "board", "ticker"].map((id) => [id, document.getElementById(id).getBoundingClientRect().toJSON()])));
      sizes.push(boxes.ticker.height);
      assert.ok(Math.abs(boxes.situation.width + boxes.stage.width + boxes.board.width - width) <= 2, JSON.stringify(boxes));
      assert.ok(Math.abs(boxes.ticker.bottom - height) <= 1 && boxes.stage.bottom <= boxes.ticker.top + 1, JSON.stringify(boxes));
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
      if (width === 1920) await screenshot("wall-1920");
    }
    assert.ok(Math.abs(sizes[1] / sizes[0] - 2) < 0.1, sizes.join(" "));
  });

  await check("the map is one of the usual size that is enlarged, in the pixels of the screen, and clicks hit what they show", async () => {
    const at = await page.evaluate(() => {
      const { map } = window.onemap;
      const frame = map.getContainer().getBoundingClientRect();
      const scale = frame.width / map.getContainer().clientWidth;
      const found = map.queryRenderedFeatures().find(({ layer, geometry, properties }) => layer.type === "circle" && geometry.type === "Point" && properties.id?.startsWith("IN-"));
      const { x, y } = map.project(found.geometry.coordinates);
      return { scale, drawn: map.getCanvas().width / frame.width, id: found.properties.id, x: frame.left + x * scale, y: frame.top + y * scale };
    });
    assert.ok(Math.abs(at.scale - 2.4) < 0.01 && Math.abs(at.drawn - 1) < 0.01, JSON.stringify(at));
    await page.mouse.click(at.x, at.y);
    await page.locator(`.card [data-feature="${at.id}"]`).waitFor();
    await page.keyboard.press("Escape");
  });

  await check("the list shows which reports were made, and ended ones by day", async () => {
    await page.setViewportSize({ width: 1366, height: 768 });
    await page.goto(`${origin}/`);
    await ready();
    const kinds = { first: ["首报"], follow_up: ["首报", "续报"], final: ["首报", "续报", "终报"] };
    for (const { id, properties: { report } } of running.filter(({ id }) => id.startsWith("IN"))) {
      assert.deepEqual(await page.locator(`#occurrences [data-id="${id}"] .reports-made .made`).allTextContents(), kinds[report]);
    }
    await page.locator("#occurrences summary").click();
    const days = await page.locator("#occurrences .day h4").allTextContents();
    assert.ok(days.length > 0 && days.every((day) => /^\d{4}-\d\d-\d\d$/.test(day)), days.join(" "));
    assert.deepEqual(days, days.toSorted().reverse());
  });
  assert.deepEqual(complaints, []);
});
