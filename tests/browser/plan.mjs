// An evacuation plan from the card of a warning, promised in one step: plan.mjs BASE_URL OUT_DIR SECRET; exit code 1 at the
// first failure.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { openScenario } from "./scenario.mjs";

const { origin, more: [secret], page, complaints, check, screenshot, run } = await openScenario(["BASE_URL", "OUT_DIR", "SECRET"], { viewport: { width: 1366, height: 900 } });
const WARNING = "WN-01";

await run(async () => {
  await page.goto(origin);
  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);
  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");

  await check("the card of a warning offers a plan, which is drawn and listed", async () => {
    await page.locator(`#occurrences [data-id="${WARNING}"]`).click();
    await page.locator(".card .plan-here").click();
    await planned();
    const { served, lines } = await shown();
    assert.ok(served > 100 && lines > 10, `${served} persons, ${lines} lines`);
    const listed = (await page.locator("#nearest .plan-list .far").allTextContents()).map(count);
    assert.equal(listed.reduce((sum, own) => sum + own, 0), served, "what the shelters take is what is served");
    assert.match(await page.locator("#nearest .plan").textContent(), /可安置.*人.*平均.*(分钟|小时).*最远/);
    await screenshot("plan-zh");
  });

  let before = 0;
  await check("a smaller share needs fewer places", async () => {
    before = (await shown()).needed;
    await page.locator('[data-field="percent"]').fill("5");
    await page.locator('[data-field="percent"]').press("Enter");
    await page.waitForFunction((before) => {
      const text = document.querySelector("#nearest .verdict")?.textContent ?? "";
      return text !== "" && Number(/\/ ([\d,]+)/.exec(text)[1].replaceAll(",", "")) < before;
    }, before);
    assert.ok(Math.abs((await shown()).needed / before - 0.5) < 0.02);
  });

  await check("the plan is a table to download", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#nearest .plan-actions button.link").click()]);
    const table = readFileSync(await download.path(), "utf8");
    assert.match(download.suggestedFilename(), /\.csv$/);
    assert.match(table, /需求 demand.*行程 duration_s/);
    assert.ok(table.split("\n").length > 10);
  });

  await check("the plan is a page to print", async () => {
    const link = page.locator("#nearest .plan-actions a.link");
    const html = await (await fetch(new URL(await link.getAttribute("href"), `${origin}/`))).text();
    const { served, needed } = await shown();
    assert.match(html, new RegExp(`<h1>转移安置方案</h1>[^]*${served} / ${needed}`));
  });

  await check("the whole plan is promised to the warning in one step", async () => {
    const { served } = await shown();
    await page.locator("#nearest .plan-actions .commit").click();
    assert.equal(await page.locator('#commit select[name="incident"]').inputValue(), WARNING);
    const amounts = await page.locator('#commit input[type="number"]').evaluateAll((inputs) => inputs.map((input) => Number(input.value)));
    assert.equal(amounts.reduce((sum, own) => sum + own, 0), served);
    await page.locator('#commit button[type="submit"]').click();
    await page.waitForFunction((count) => document.querySelectorAll("#commitments li").length === count, amounts.length);
  });

  await check("a question takes the panel, and the plan leaves the map", async () => {
    await page.locator("#ask-centre").click();
    await page.waitForFunction(() => document.querySelector("#nearest .way") !== null);
    assert.equal((await shown()).lines, 0);
    assert.deepEqual(complaints, []);
  });
});

function planned() {
  return page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false" && document.querySelector("#nearest .plan"));
}

function count(text) {
  return Number(/[\d,]+/.exec(text)[0].replaceAll(",", ""));
}

/** People served and needed, and the number of lines on the map. */
async function shown() {
  const verdict = page.locator("#nearest .verdict");
  const text = (await verdict.count()) > 0 ? await verdict.textContent() : "0 / 0";
  const [served, needed] = text.split("/").map(count);
  const lines = await page.evaluate(async () => (await window.onemap.map.getSource("plan").getData()).features.length);
  return { served, needed, lines };
}
