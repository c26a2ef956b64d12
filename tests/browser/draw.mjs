// Measuring, questions about drawn shapes, coordinates to copy: draw.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, browser, page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR"]);

/** Corners of an area, and what it measures on the WGS 84 ellipsoid by PROJ. */
const CORNERS = [[118.84, 26.2], [118.88, 26.2], [118.88, 26.24], [118.84, 26.24]];

await run(async () => {
  await browser.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
  await page.goto(`${origin}/#map=12.5/26.22/118.86`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");

  await check("a line is measured along the ellipsoid", async () => {
    await page.locator("#draw").click();
    await chosen("linestring");
    for (const corner of CORNERS.slice(0, 2)) await click(corner);
    await click(CORNERS[1]);
    // 3,998.06 m between the corners; a pixel of this map is some 20 m.
    const text = await measured();
    const kilometres = Number(/长度 ([\d.]+) 公里/.exec(text)[1]);
    assert.ok(Math.abs(kilometres - 4.0) <= 0.1, text);
  });

  await check("an area is measured, counted and asked about, and the URL keeps it", async () => {
    await choose("polygon");
    for (const corner of CORNERS) await click(corner);
    await click(CORNERS[0]);
    const text = await measured();
    const [, surface] = /面积 ([\d.]+) 平方公里/.exec(text);
    // 17.72 km².
    assert.ok(Math.abs(Number(surface) - 17.72) <= 0.4, text);
    await page.locator('#drawing button:has-text("统计区内")').click();
    await page.waitForFunction(() => document.querySelector("#nearest .counts")?.textContent.includes("避灾点"));
    await page.screenshot({ path: join(out, "draw-zh.png") });
    // The brief of the drawing has an address.
    const brief = await (await fetch(new URL(await page.locator("#nearest .tools a").first().getAttribute("href"), page.url()))).text();
    assert.match(brief, /<h1>周边分析<\/h1>[^]*指定区域/);
    await page.locator('#nearest [data-field="radii"]').fill("500,2000");
    await page.locator("#nearest .question form button").click();
    const rings = () => page.evaluate(() => window.onemap.map.getSource("rings")?.serialize().data.coordinates.flat() ?? []);
    await page.waitForFunction(() => window.onemap.map.getSource("rings")?.serialize().data.coordinates.length > 100);
    // The outer line is 2 km beyond the corners.
    const east = Math.max(...(await rings()).map(([lon]) => lon));
    const beyond = (east - Math.max(...CORNERS.map(([lon]) => lon))) * 111_195 * Math.cos((26.2 * Math.PI) / 180);
    assert.ok(Math.abs(beyond - 2_000) < 60, String(beyond));
    await page.screenshot({ path: join(out, "rings-zh.png") });
    await page.locator('#drawing button:has-text("查询周边力量")').click();
    assert.deepEqual(await rings(), []);
    await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="shelters"] > ol > li').length === 3);
    assert.match(page.url(), /near=118\.8/);
    assert.match(await page.locator("#nearest li .far").first().textContent(), /此处|就在/);
    const ids = () => page.locator('#nearest [data-layer="shelters"] > ol > li button[data-id]').evaluateAll((all) => all.map((one) => one.dataset.id));
    const before = await ids();
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="shelters"] > ol > li').length === 3);
    assert.deepEqual(await ids(), before);
  });

  await check("an area that crosses itself is told to be drawn again", async () => {
    await page.locator("#draw").click();
    await choose("polygon");
    for (const at of [0, 2, 1, 3, 0]) await click(CORNERS[at]);
    await page.waitForFunction(() => document.querySelector("#drawing .failed")?.textContent.includes("边界自相交"));
    assert.equal(await page.locator('#drawing button:has-text("统计区内")').count(), 0);
    await page.locator("#drawing .close").click();
  });

  await check("coordinates are read in the systems in use, and copied", async () => {
    await page.locator("#draw").click();
    await choose("coordinates");
    await click([118.86, 26.22]);
    await page.waitForFunction(() => document.querySelectorAll("#drawing dd").length === 5);
    const text = await page.locator("#drawing dl").textContent();
    assert.match(text, /CGCS2000 zone 40\s*4038\d{4}\.\d{3}, 2901\d{3}\.\d{3}/);
    assert.match(text, /GCJ-02\s*118\.86\d{4}, 26\.2\d{5}/);
    await page.locator("#drawing dd .copy").first().click();
    await page.waitForFunction(() => document.querySelector("#drawing dd .copy").textContent === "已复制");
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^118\.8\d+, 26\.2\d+$/);
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#drawing").isHidden());
  });

  await check("the map is saved as an image with title, version and legend", async () => {
    await page.locator("#save-image").click();
    await page.waitForFunction(() => (document.querySelector("#map-image .sheet")?.naturalWidth ?? 0) > 0);
    const saved = await page.evaluate(() => {
      const image = document.querySelector("#map-image .sheet");
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const out = canvas.getContext("2d");
      out.drawImage(image, 0, 0);
      const colours = (x, y, width, height) => new Set(new Uint32Array(out.getImageData(x, y, width, height).data.buffer)).size;
      const { width, height } = canvas;
      return { width, height, head: colours(0, 0, width, 60), map: colours(30, 70, width - 60, height - 140), foot: colours(0, height - 45, width, 40) };
    });
    const shown = await page.evaluate(() => window.onemap.map.getCanvas().clientWidth);
    assert.ok(saved.width > shown && saved.map > 500 && saved.head > 20 && saved.foot > 20, JSON.stringify(saved));
    assert.match(await page.locator("#map-image a[download]").getAttribute("download"), /^闽清县.*\.png$/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#map-image .pdf").click()]);
    assert.match(download.suggestedFilename(), /^闽清县.*\.pdf$/);
    const pdf = join(out, "map.pdf");
    await download.saveAs(pdf);
    const told = JSON.parse(execFileSync("gdalinfo", ["-json", pdf], { encoding: "utf8" }));
    // A page of A4, which is upright because the panels beside the map are open.
    assert.ok(told.driverShortName === "PDF" && Math.abs(Math.max(...told.size) / Math.min(...told.size) - Math.SQRT2) < 0.01, JSON.stringify(told.size));
    await page.screenshot({ path: join(out, "map-image-zh.png") });
    await page.keyboard.press("Escape");
  });

  await check("the page did not complain", () => assert.deepEqual(complaints, []));
});

async function chosen(mode) {
  await page.waitForFunction((mode) => document.querySelector(`#drawing [data-mode="${mode}"]`)?.getAttribute("aria-pressed") === "true", mode);
  // The library for drawing is loaded when it is first used.
  await page.waitForFunction(() => document.getElementById("drawing").dataset.ready === "true");
}

async function choose(mode) {
  await page.locator(`#drawing [data-mode="${mode}"]`).click();
  await chosen(mode);
}

/** Clicks a position on the map. Two clicks in quick succession would be a double click. */
async function click(position) {
  const at = await page.evaluate((position) => {
    const { map } = window.onemap;
    const { left, top } = map.getCanvas().getBoundingClientRect();
    const { x, y } = map.project(position);
    return { x: x + left, y: y + top };
  }, position);
  await page.mouse.move(at.x, at.y, { steps: 3 });
  await page.mouse.click(at.x, at.y);
  await page.waitForTimeout(350);
}

async function measured() {
  await page.waitForFunction(() => document.querySelector("#drawing output") !== null);
  return page.locator("#drawing output").textContent();
}
