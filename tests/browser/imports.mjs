// A file dropped on the page: its system is named, columns matched, rows shown, stored and undone; a layer downloaded:
// imports.mjs BASE_URL OUT_DIR SECRET; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { openScenario } from "./scenario.mjs";

const { origin, more: [secret], page, complaints, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR", "SECRET"], { viewport: { width: 1366, height: 900 } });
const TABLE = "编号,点名,经度,纬度,可容纳人数,备用\nIMP-1,新建避灾点,118.8590,26.2220,300人,a\nIMP-2,老祠堂,118.8600,26.2230,很多,b\n,,118.87,26.23,5,c\n";

async function drop(name, text) {
  await page.evaluate(([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [name, text]);
}

const settled = () => page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false");
const verdict = () => page.locator("#nearest .verdict").textContent();

await run(async () => {
  await page.goto(origin);
  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);
  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  await page.locator("#layers-toggle").click();

  await check("a dropped table asks for its reference system", async () => {
    await page.locator(".exchange-import").waitFor();
    await drop("shelters 避灾点.csv", TABLE);
    await page.locator('#nearest [data-needs="crs"]').waitFor();
    assert.match(await page.locator("#nearest .failed").textContent(), /请在下面指定坐标系.*gcj02 \(高德, 腾讯\)/);
    assert.ok(await page.locator("#nearest .commit").isDisabled());
  });

  await check("with the system its columns, rows and defects are shown", async () => {
    await page.locator('#nearest [data-field="crs"]').fill("wgs84");
    await page.locator('#nearest [data-field="crs"]').press("Tab");
    await page.locator("#nearest .verdict").waitFor();
    await settled();
    assert.match(await verdict(), /3 行.*1 可导入.*2 有问题/);
    assert.equal(await page.locator('#nearest [data-column="点名"]').inputValue(), "name");
    assert.equal(await page.locator('#nearest [data-column="可容纳人数"]').inputValue(), "capacity");
    assert.equal(await page.locator('#nearest [data-column="备用"]').inputValue(), "");
    assert.match(await page.locator('#nearest [data-rows="importRefused"]').textContent(), /可容纳人数.*很多.*格式不对，应为整数（人）/);
    await page.waitForFunction(() => window.onemap.map.querySourceFeatures("import").length > 0);
    await screenshot("import-zh");
  });

  await check("the defects are downloaded as a marked table", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "标注后的表格" }).click()]);
    assert.match(download.suggestedFilename(), /\.xlsx$/);
    assert.equal(readFileSync(await download.path()).subarray(0, 2).toString(), "PK");
  });

  await check("valid rows are stored, drawn, and undone", async () => {
    await settled();
    await page.locator('#nearest [data-field="skip_bad"]').check({ force: true });
    await page.waitForFunction(() => !document.querySelector("#nearest .commit").disabled);
    await page.locator("#nearest .commit").click();
    await page.waitForFunction(() => document.querySelector("#nearest .verdict")?.textContent === "已导入");
    const stored = (count) => page.waitForFunction(async (count) => {
      const reply = await fetch("ogc/collections/shelters/items?ids=IMP-1");
      return (await reply.json()).numberMatched === count;
    }, count);
    await stored(1);
    await page.getByRole("button", { name: "撤销本次导入" }).click();
    await page.waitForFunction(() => document.querySelector("#nearest .verdict")?.textContent.startsWith("已撤销"));
    await stored(0);
  });

  await check("a question and a file take turns in the panel", async () => {
    await page.evaluate(() => (location.hash = "point=118.86,26.22&layer=shelters"));
    await page.locator("#nearest .question form input").waitFor();
    assert.equal(await page.locator("#nearest").getAttribute("aria-label"), "周边可用力量");
    await drop("shelters 避灾点.csv", TABLE);
    await page.locator('#nearest [data-needs="crs"]').waitFor();
    assert.equal(await page.locator("#nearest").getAttribute("aria-label"), "导入文件");
    assert.ok(!page.url().includes("point="), "the address has no question that is not shown");
    await page.locator("#nearest .close").focus();
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#nearest").isHidden());
  });

  await check("the layer of a file that names none is chosen, and columns that are not recognised too", async () => {
    await drop("某表.csv", "点名,东,北\n甲,118.859,26.222\n");
    await page.waitForFunction(() => document.querySelector('#nearest [data-field="layer"]')?.value === "");
    assert.ok(await page.locator("#nearest .commit").count() === 0, "nothing can be imported yet");
    await page.locator('#nearest [data-field="layer"]').selectOption("shelters");
    await page.locator('#nearest [data-needs="columns"]').waitFor();
    for (const [column, field] of [["东", "lon"], ["北", "lat"]]) {
      await settled();
      await page.locator(`#nearest [data-column="${column}"]`).selectOption(field);
    }
    await page.locator('#nearest [data-needs="crs"]').waitFor();
    await page.locator('#nearest [data-field="crs"]').fill("wgs84");
    await page.locator('#nearest [data-field="crs"]').press("Tab");
    await page.locator("#nearest .verdict").waitFor();
    await settled();
    assert.match(await verdict(), /1 行.*1 可导入/);
    await page.locator("#nearest .close").click();
  });

  await check("a file of no known kind is refused, and closing leaves the map", async () => {
    await drop("photo.png", "not a table");
    await page.locator("#nearest .failed").waitFor();
    assert.match(await page.locator("#nearest .failed").textContent(), /不能导入这种文件.*Excel、CSV、Shapefile/);
    await page.locator("#nearest .close").click();
    assert.ok(await page.locator("#nearest").isHidden());
    assert.equal(await page.evaluate(() => window.onemap.map.querySourceFeatures("import").length), 0);
  });

  await check("what is shown is downloaded", async () => {
    await page.locator('[data-field="export-layer"]').selectOption("shelters");
    for (const [format, ending] of [["xlsx", "xlsx"], ["kml", "kml"], ["shp", "zip"]]) {
      await page.locator('[data-field="export-format"]').selectOption(format);
      const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".exchange-download").click()]);
      assert.equal(download.suggestedFilename(), `shelters.${ending}`);
      assert.ok(readFileSync(await download.path()).length > 1000);
    }
  });

  assert.deepEqual(complaints, []);
});
