// Drives the viewer in a real Chromium: viewer.mjs BASE_URL OUT_DIR; one line per check, exit code 1 at the first
// failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, browser, page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR"], { reducedMotion: "no-preference" });

/** Layers that the initial view of the county must show. */
const AT_FIRST = ["county", "townships", "risk_zones", "roads", "hazards", "shelters", "teams", "depots"];

/** Requests of the page. */
const requests = [];

browser.context.on("request", (request) => requests.push(request.url()));

await run(async () => {
  await check("the page loads and the map becomes idle", async () => {
    await page.goto(`${origin}/`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  });

  const catalog = await (await fetch(`${origin}/api/layers`)).json();
  await idleAfter(() => page.locator("#layers-toggle").click());

  await check("the title and all layer names are Chinese", async () => {
    assert.equal(await page.locator("#header h1").textContent(), "闽清县应急管理一张图");
    const shown = await page.locator("#layer-groups .layer .name").allTextContents();
    assert.deepEqual(shown.toSorted(), [...catalog.layers.map((layer) => layer.title.zh), "风险面（远看）"].toSorted());
  });

  await check("the theme changes the page and the map, and is kept", async () => {
    const paper = () => page.evaluate(() => window.onemap.map.getPaintProperty("paper", "background-color"));
    const light = await paper();
    await page.locator("#theme").click();
    await page.waitForFunction((light) => window.onemap.map.getPaintProperty("paper", "background-color") !== light, light);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    assert.equal(await page.locator("#theme").getAttribute("aria-label"), "切换为浅色");
    await page.locator("#theme").click();
    await page.waitForFunction((light) => window.onemap.map.getPaintProperty("paper", "background-color") === light, light);
    assert.equal(await page.evaluate(() => localStorage.getItem("onemap.theme")), "light");
    await idleAfter(() => page.evaluate(() => window.onemap.map.triggerRepaint()));
  });

  await check("the panel shows the counts of the server", async () => {
    for (const layer of catalog.layers) {
      const count = await page.locator(`#layers [data-layer="${layer.id}"] .count`).textContent();
      assert.equal(count.replaceAll(",", ""), String(layer.count), layer.id);
    }
  });

  await check("the canvas draws the key layers", async () => {
    const filled = AT_FIRST.filter((id) => catalog.layers.find((layer) => layer.id === id).count > 0);
    for (const id of filled) assert.ok((await rendered(id)) > 0, `nothing of ${id} is drawn`);
    assert.ok((await coloursOnCanvas()) > 20, "the canvas is blank");
  });

  await check("the legend names the four risk levels", async () => {
    const levels = await page.locator("#legend .level").allTextContents();
    assert.deepEqual(levels, catalog.codes.risk_level.map((level) => level.zh));
  });

  await screenshot("overview-zh");

  await check("a layer can be hidden and shown", async () => {
    const before = await rendered("hazards");
    const box = page.locator('#layers [data-layer="hazards"] input');
    await idleAfter(() => box.uncheck());
    assert.equal(await rendered("hazards"), 0, "still drawn after it was switched off");
    await idleAfter(() => box.check());
    assert.equal(await rendered("hazards"), before, "not all came back");
  });

  await check("a click on a cluster shows its counts and members, and a member opens its card", async () => {
    const cluster = await page.evaluate(() => {
      const { map } = window.onemap;
      const [dx, dy] = map.getPaintProperty("hazards-cluster", "circle-translate");
      const clusters = map.queryRenderedFeatures({ layers: ["hazards-cluster"] }).map((own) => {
        const at = map.project(own.geometry.coordinates);
        return { id: own.id, count: own.properties.count, x: at.x + dx, y: at.y + dy };
      });
      // Another layer may be on top.
      return clusters.find(({ x, y }) => map.queryRenderedFeatures([x, y])[0]?.layer.id.startsWith("hazards-cluster"));
    });
    assert.ok(cluster, "no cluster of hazards is in sight");
    const frame = await page.locator("#map").boundingBox();
    await page.mouse.click(frame.x + cluster.x, frame.y + cluster.y);
    await page.waitForSelector('.card [data-cluster] .body[aria-busy="false"]');
    const expected = await (await fetch(`${origin}/api/clusters/hazards/${cluster.id}?limit=50`)).json();
    assert.equal(expected.count, cluster.count);
    assert.ok((await page.locator(".card h2").textContent()).includes(String(cluster.count)));
    const counts = await page.locator(".card dd").allTextContents();
    assert.equal(counts.reduce((sum, count) => sum + Number(count), 0), cluster.count, "the counts of the levels");
    const members = await page.locator(".card .members li").allTextContents();
    assert.deepEqual(members, expected.features.map((member) => member.properties.name));
    await screenshot("cluster-zh");
    await page.locator(".card .members button").first().click();
    await page.waitForSelector('.card [data-feature] .body[aria-busy="false"]');
    assert.equal(await page.locator(".card article").getAttribute("data-feature"), expected.features[0].id);
    await page.keyboard.press("Escape");
  });

  await check("a click lists the results of /api/nearest", async () => {
    const frame = await page.locator("#map").boundingBox();
    await page.mouse.click(frame.x + frame.width * 0.45, frame.y + frame.height * 0.55);
    await page.waitForSelector("#nearest:not([hidden])[aria-busy=false]");
    const point = await page.locator("#nearest .question input").inputValue();
    for (const layer of ["shelters", "teams", "depots"]) {
      const answer = await (await fetch(`${origin}/api/nearest?point=${point}&layer=${layer}&k=3`)).json();
      const expected = answer.features.map((feature) => ({ id: String(feature.id), name: feature.properties.name, rank: String(feature.properties.rank) }));
      assert.ok(expected.length > 0, `the server knows nothing near ${point} in ${layer}`);
      const shown = await page.locator(`#nearest [data-layer="${layer}"] li button`).evaluateAll((buttons) => buttons.map((button) => ({
        id: button.dataset.id,
        name: button.querySelector(".name").textContent,
        rank: button.querySelector(".rank").textContent,
      })));
      assert.deepEqual(shown, expected, layer);
      const far = await page.locator(`#nearest [data-layer="${layer}"] li .far`).allTextContents();
      for (const [at, text] of far.entries()) assert.match(text, metresIn(answer.features[at].properties.distance_m), layer);
    }
  });

  await check("lines connect the point with the results", async () => {
    await idleAfter(() => page.locator("#nearest .tools button").first().click());
    assert.ok((await page.evaluate(() => window.onemap.map.queryRenderedFeatures({ layers: ["answers-line"] }).length)) > 0);
  });

  await screenshot("nearest-zh");

  await check("a click on a result moves the map there and opens its card", async () => {
    await idleAfter(() => page.locator('#nearest [data-layer="shelters"] li button').first().click());
    const id = await page.locator('#nearest [data-layer="shelters"] li button').first().getAttribute("data-id");
    const item = await (await fetch(`${origin}/ogc/collections/shelters/items/${encodeURIComponent(id)}`)).json();
    // The tiles of the new view may arrive after the map has been idle once.
    await page.waitForFunction(({ id, place }) => {
      const { x, y } = window.onemap.map.project(place);
      return !window.onemap.map.isMoving() && window.onemap.map.queryRenderedFeatures([x, y]).some((feature) => feature.properties.id === id);
    }, { id, place: item.geometry.coordinates });
    const at = await page.evaluate((place) => window.onemap.map.project(place), item.geometry.coordinates);
    const frame = await page.locator("#map").boundingBox();
    await page.mouse.click(frame.x + at.x, frame.y + at.y);
    await page.waitForSelector('.card .body[aria-busy="false"]');
    const cards = await page.evaluate(async () => {
      const seen = [];
      for (;;) {
        const article = document.querySelector(".card article");
        if (seen.some((one) => one.id === article.dataset.feature)) return seen;
        seen.push({ id: article.dataset.feature, name: article.querySelector("h2").textContent });
        const next = article.querySelectorAll(".leaf button")[1];
        if (!next) return seen;
        next.click();
      }
    });
    assert.ok(cards.some((card) => card.id === id && card.name === item.properties.name), `no card of ${id} among ${JSON.stringify(cards)}`);
  });

  await screenshot("card-zh");

  await check("the page switches to English and remembers it", async () => {
    await idleAfter(() => page.locator("#language").click());
    await inEnglish();
    await page.keyboard.press("Escape");
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    await inEnglish();
  });

  await screenshot("overview-en");

  await check("no request left the server", () => {
    const foreign = requests.filter((url) => !url.startsWith(`${origin}/`) && !/^(data|blob):/.test(url));
    assert.deepEqual(foreign, []);
  });

  await check("the page reported no error", () => assert.deepEqual(complaints, []));

  async function inEnglish() {
    assert.equal(await page.locator("#header h1").textContent(), "Minqing One Map");
    const shown = await page.locator("#layer-groups .layer .name").allTextContents();
    assert.deepEqual(shown.toSorted(), [...catalog.layers.map((layer) => layer.title.en), "Risk surface (zoomed out)"].toSorted());
    assert.equal(await page.evaluate(() => JSON.stringify(window.onemap.map.getLayoutProperty("shelters-sign", "text-field")).includes("避")), false);
  }
});

/** Performs an action and waits until the map has drawn the result. */
async function idleAfter(action) {
  await page.evaluate(() => {
    window.idleSeen = new Promise((resolve) => window.onemap.map.once("idle", () => resolve(true)));
  });
  await action();
  await page.evaluate(() => {
    window.onemap.map.triggerRepaint();
    return window.idleSeen;
  });
}

/** Number of distinct features of a layer on the map. */
function rendered(layer) {
  return page.evaluate((id) => {
    const { map } = window.onemap;
    const drawnBy = map.getStyle().layers.filter((one) => one.metadata?.["onemap:layer"] === id).map((one) => one.id);
    return new Set(map.queryRenderedFeatures({ layers: drawnBy }).map((feature) => feature.properties.id)).size;
  }, layer);
}

/** Number of colours on a coarse grid of the canvas; a blank canvas has one. */
function coloursOnCanvas() {
  return page.evaluate(() => new Promise((resolve) => {
    const { map } = window.onemap;
    map.once("render", () => {
      const canvas = map.getCanvas();
      const copy = document.createElement("canvas");
      copy.width = canvas.width;
      copy.height = canvas.height;
      const pen = copy.getContext("2d");
      pen.drawImage(canvas, 0, 0);
      const { data } = pen.getImageData(0, 0, copy.width, copy.height);
      const colours = new Set();
      for (let at = 0; at < data.length; at += 4 * 97) colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
      resolve(colours.size);
    });
    map.triggerRepaint();
  }));
}

/** The displayed text of a distance. */
function metresIn(metres) {
  return new RegExp(metres < 999.5 ? ` ${Math.round(metres)} 米$` : ` ${(metres / 1000).toFixed(metres < 99_950 ? 1 : 0)} 公里$`);
}

async function screenshot(title) {
  await page.screenshot({ path: join(out, `${title}.png`) });
}
