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
  });

  await check("a search without results shows a message", async () => {
    await page.locator("#search input").fill("没有这个名字");
    await page.waitForSelector('#search li[role="status"]');
    await page.locator("#search input").press("Escape");
  });

  for (const [audit, path] of [["siting", "/api/audits/siting"], ["coverage", "/api/coverage"]]) {
    await check(`the audit of ${audit} is drawn and counted`, async () => {
      await page.locator("#fit-county").click();
      await page.locator(`[data-audit="${audit}"] input`).check();
      await page.waitForFunction((id) => window.onemap.map.getLayer(id), `audit-${audit}`);
      const found = await (await fetch(origin + path)).json();
      const expected = audit === "siting" ? found.features.length : found.features.filter((one) => one.properties.beyond.length > 0).length;
      await page.waitForFunction(([id, count]) => document.querySelector(`[data-audit="${id}"] .count`)?.textContent === count,
        [audit, expected.toLocaleString("en-US")]);
      await page.waitForFunction((id) => window.onemap.map.queryRenderedFeatures({ layers: [id] }).length > 20, `audit-${audit}`);
      await page.screenshot({ path: join(out, `audit-${audit}.png`) });
      await page.locator(`[data-audit="${audit}"] input`).uncheck();
    });
  }
  assert.deepEqual(complaints, []);
});
