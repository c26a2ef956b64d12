// The list of what is in view, by keyboard alone: view_list.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, page, complaints, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR"]);

await run(async () => {
  await page.goto(`${origin}/#map=13/26.22/118.86`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");

  await check("a skip link opens the list of what is in view, with the counts of the server", async () => {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "skip-to-list");
    await page.keyboard.press("Enter");
    await listed();
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H2");
    const box = await page.evaluate(() => window.onemap.map.getBounds().toArray().flat().map((value) => value.toFixed(6)).join(","));
    let total = 0;
    for (const { id, roles } of (await (await fetch(`${origin}/api/layers`)).json()).layers) {
      // Documents are not on the map at first.
      if (roles.plan || roles.situation_report) continue;
      const { numberMatched } = await (await fetch(`${origin}/ogc/collections/${id}/items?limit=1&bbox=${box}`)).json();
      total += numberMatched;
      const shown = page.locator(`#nearest [data-layer="${id}"] .count`);
      if (numberMatched === 0) assert.equal(await shown.count(), 0, id);
      else assert.equal((await shown.textContent()).replaceAll(",", ""), String(numberMatched), id);
    }
    assert.equal((await page.locator("#nearest .view-total").textContent()).replaceAll(",", ""), `当前视图内 ${total} 个`);
    await screenshot("view-list-zh");
  });

  await check("a layer is unfolded in pages, also where the map shows clusters", async () => {
    await page.evaluate(() => window.onemap.map.jumpTo({ zoom: 9.5, center: [118.77, 26.235] }));
    await listed();
    const hazards = page.locator('#nearest [data-layer="hazards"]');
    await hazards.locator("summary").focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="hazards"] li').length === 50);
    await hazards.locator(".more").focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="hazards"] li').length === 100);
    const ids = await hazards.locator("li button").evaluateAll((rows) => rows.map((row) => row.dataset.id));
    assert.equal(new Set(ids).size, 100);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.id), ids[50], "the focus goes on with the new rows");
  });

  await check("Enter opens the card, and closing it gives the focus back", async () => {
    const id = await page.evaluate(() => document.activeElement.dataset.id);
    await page.keyboard.press("Enter");
    await page.waitForSelector('.card [data-feature] .body[aria-busy="false"]');
    assert.equal(`hazards/${await page.locator(".card article").getAttribute("data-feature")}`, id);
    assert.ok(await page.evaluate(() => document.activeElement.closest(".card") !== null));
    await page.keyboard.press("Escape");
    await page.waitForFunction((id) => document.activeElement.dataset.id === id, id);
  });

  await check("a short list is in order of the distance from the centre", async () => {
    await page.evaluate(() => window.onemap.map.jumpTo({ zoom: 13, center: [118.86, 26.22] }));
    await listed();
    await page.locator('#nearest [data-layer="teams"] summary').click();
    await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="teams"] li').length > 2);
    const metres = (await page.locator('#nearest [data-layer="teams"] .far').allTextContents()).map((text) => parseFloat(text) * (text.includes("公里") ? 1000 : 1));
    assert.deepEqual(metres, metres.toSorted((a, b) => a - b));
  });

  await check("the shortcut opens it from anywhere, and hidden layers are not listed", async () => {
    await page.locator("#nearest .close").click();
    await page.locator("#layers-toggle").click();
    await page.locator('[data-layer="teams"] input').uncheck();
    await page.keyboard.press("Alt+KeyL");
    await listed();
    assert.equal(await page.locator('#nearest [data-layer="teams"]').count(), 0);
    assert.ok((await page.locator('#nearest [data-layer="shelters"]').count()) > 0);
  });
  assert.deepEqual(complaints, []);
});

/** The list is complete for the view. */
async function listed() {
  await page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false" && document.querySelectorAll("#nearest .view-layer").length > 3);
}
