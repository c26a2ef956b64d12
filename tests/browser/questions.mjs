// The questions of a night, answered in the browser as an officer would, with the clicks, entries and seconds of each:
// questions.mjs BASE_URL OUT_DIR SECRET; exit code 1 at the first failure. The seconds are told and not judged.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, more: [secret], page, run, screenshot } = await openScenario(["BASE_URL", "OUT_DIR", "SECRET"], { viewport: { width: 1366, height: 900 } });
/** One with reports, and one at a point, from where journeys begin. */
const INCIDENT = "IN-01";
const AT_POINT = "IN-03";
const WARNING = "WN-01";
let clicks = 0;
let entries = 0;

await run(async () => {
  await page.goto(origin);
  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);

  await question("现在有什么事？", async () => {
    await page.goto(`${origin}/?lang=zh`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    const running = await page.locator('[data-situation="incidents"] li .name').allTextContents();
    assert.ok(running.length >= 3, String(running));
    return `${running.length} 起：${running.join("、")}`;
  });

  await question("这件事报到哪一步了，伤亡如何？", async () => {
    await click(page.locator(`#occurrences [data-id="${INCIDENT}"]`));
    await page.waitForSelector(`.card [data-feature="${INCIDENT}"] .body[aria-busy="false"]`);
    const card = await page.locator(".card .body").textContent();
    assert.match(card, /状态处置中/);
    const reports = await json(`/ogc/collections/situation_reports/items?incident=${INCIDENT}&limit=1`);
    const listed = await page.locator(".card [data-list=reports] li").count();
    assert.equal(listed, Math.min(5, reports.numberMatched));
    return `${listed} 份报告`;
  });

  await question("60 人今晚去哪里，还有多少床位？", async () => {
    await click(page.locator(`#occurrences [data-id="${AT_POINT}"]`));
    await click(page.locator(`.card [data-feature="${AT_POINT}"] .ask`));
    await click(page.locator(".ask-form > summary"));
    await answered(() => enter(page.locator("#nearest [data-field=people]"), "60"));
    const night = page.locator("#nearest [data-field=night]");
    if (!(await night.isChecked())) await answered(() => click(page.locator("#nearest label.chip", { has: page.locator("[data-field=night]") })));
    const first = page.locator('#nearest [data-layer="shelters"] > ol > li').first();
    assert.match(await first.textContent(), /过夜余位 [\d,]+/);
    return await first.locator(".name").first().textContent();
  });

  await question("更近的为什么不能用？", async () => {
    const closed = page.locator("#nearest details.excluded:not([open]) summary").first();
    if ((await closed.count()) > 0) await click(closed);
    const reasons = await page.locator("#nearest .excluded li .reasons").allTextContents();
    assert.ok(reasons.length > 0 && reasons.every((reason) => reason.trim() !== ""), String(reasons));
    return reasons[0];
  });

  await question("走路况最快能到的队伍是哪支，几分钟？", async () => {
    await answered(() => click(page.locator("#nearest label", { has: page.locator('input[name="by"][value="road"]') })));
    const team = page.locator('#nearest [data-layer="teams"] > ol > li').first();
    assert.match(await team.textContent(), /分钟|秒/);
    return (await team.textContent()).replace(/\s+/g, " ").slice(0, 40);
  });

  await question("把床位定下来。", async () => {
    await click(page.locator('#nearest [data-layer="shelters"] > ol > li .commit').first());
    await page.locator('#commit select[name="incident"]').selectOption(INCIDENT);
    clicks += 1;
    await click(page.locator('#commit button[type="submit"]'));
    await page.waitForFunction(() => document.querySelectorAll("#commitments li").length === 1);
    return (await page.locator("#commitments li").textContent()).replace(/\s+/g, " ");
  });

  await question("周边多少人、有什么危险？", async () => {
    await click(page.locator("#nearest .close"));
    await click(page.locator(`#occurrences [data-id="${INCIDENT}"]`));
    await click(page.locator(".card .around-here"));
    await page.locator('#nearest [data-list="dangers"]').waitFor();
    assert.ok((await page.locator("#nearest .chart").count()) >= 2);
    return (await page.locator("#nearest .chart .row .far").last().textContent()) ?? "";
  });

  await question("预警区的人怎么转移？", async () => {
    await click(page.locator(`#occurrences [data-id="${WARNING}"]`));
    await click(page.locator(".card .plan-here"));
    await page.waitForFunction(() => document.querySelectorAll("#nearest .plan-list li").length > 0);
    await screenshot("questions-plan");
    return (await page.locator("#nearest .verdict").textContent()) ?? "";
  });

  await question("通知谁？", async () => {
    await click(page.locator(`#occurrences [data-id="${WARNING}"]`));
    const [opened] = await Promise.all([page.context().waitForEvent("page"), click(page.locator(".card .reports a.link"))]);
    await opened.waitForLoadState();
    const text = await opened.locator("main").textContent();
    await opened.close();
    assert.match(text, /责任人.*\d{3}\*{4}\d{4}/s);
    return `${text.match(/\d{3}\*{4}\d{4}/g).length} 个电话`;
  });

  await question("梅城小学在哪里？", async () => {
    await enter(page.locator("#search input"), "梅城小学");
    await page.locator("#search li[data-id]").first().waitFor();
    await page.keyboard.press("Enter");
    entries += 1;
    await page.waitForSelector(".card [data-feature]");
    return (await page.locator(".card h2").textContent()) ?? "";
  });
});

/** Answers a question, and tells what it took. */
async function question(words, answer) {
  [clicks, entries] = [0, 0];
  const started = Date.now();
  const found = await answer();
  console.log(`${words} ${clicks} clicks, ${entries} entries, ${((Date.now() - started) / 1000).toFixed(1)} s: ${found}`);
}

async function click(locator) {
  clicks += 1;
  await locator.click();
}

async function enter(locator, text) {
  entries += 1;
  await locator.fill(text);
}

/** Waits until the results are those of the form. */
async function answered(act) {
  const complete = async () => {
    await act();
    await page.keyboard.press("Tab");
  };
  await Promise.all([page.waitForResponse((response) => response.url().includes("/api/nearest")), complete()]);
  await page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false");
}

/** A reply of the server to the officer. */
function json(path) {
  return page.evaluate(async (path) => (await fetch(path)).json(), path);
}
