// Promising resources from a result, beyond what is free for a reason, and releasing them: commit.mjs BASE_URL OUT_DIR SECRET;
// exit code 1 at the first failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, more: [secret], page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR", "SECRET"], { viewport: { width: 1366, height: 900 }, expected: /status of 409/ });

await run(async () => {
  await page.goto(`${origin}/#point=118.86,26.22&layer=shelters&people=30&night=true&k=3`);
  await ready();

  await check("who may not dispatch has no button", async () => {
    assert.ok((await rows().count()) === 3);
    assert.equal(await page.locator("#nearest .commit").count(), 0);
  });

  const first = () => rows().first();
  let free = 0;
  await check("a dispatcher promises places from a result, and the result shows what is left", async () => {
    await page.evaluate((secret) => fetch("api/session", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
    }), secret);
    await page.reload();
    await ready();
    free = await freePlaces();
    await first().locator(".commit").click();
    assert.equal(await page.locator('#commit input[type="number"]').inputValue(), "30");
    await page.locator('#commit select[name="incident"]').selectOption("IN-01");
    await page.locator('#commit input[name="note"]').fill("第一批群众");
    await page.screenshot({ path: join(out, "commit-zh.png") });
    await page.locator('#commit button[type="submit"]').click();
    await page.waitForFunction(() => document.querySelectorAll("#commitments li").length === 1);
    assert.match(await page.locator("#commitments li").textContent(), /→.*已承诺.*30 人.*第一批群众/);
    await page.waitForFunction((expected) => {
      const text = document.querySelector('#nearest [data-layer="shelters"] li .facts')?.textContent ?? "";
      return Number(/余位 ([\d,]+)/.exec(text)?.[1].replaceAll(",", "")) === expected || !text.includes("余位");
    }, free - 30);
    await page.screenshot({ path: join(out, "committed-zh.png") });
  });

  await check("more than is free needs a reason, and what was typed stays", async () => {
    await first().locator(".commit").click();
    await page.locator('#commit input[type="number"]').fill("5000");
    await page.locator('#commit button[type="submit"]').click();
    await page.waitForFunction(() => document.querySelector("#commit .failed")?.textContent !== "");
    assert.equal(await page.locator('#commit input[type="number"]').inputValue(), "5000");
    await page.locator('#commit input[name="override"]').fill("体育馆另有床位");
    await page.locator('#commit button[type="submit"]').click();
    await page.waitForFunction(() => document.querySelectorAll("#commitments li").length === 2);
  });

  await check("released commitments leave the list", async () => {
    await page.locator("#commitments li .release").first().click();
    await page.waitForFunction(() => document.querySelectorAll("#commitments li").length === 1);
    await page.locator("#commitments li .release").first().click();
    await page.waitForFunction(() => document.getElementById("commitments").hidden);
    await page.waitForFunction((expected) => {
      const text = document.querySelector('#nearest [data-layer="shelters"] li .facts')?.textContent ?? "";
      return text.replaceAll(",", "").includes(` ${expected}`);
    }, free);
  });

  await check("a covering set is promised in one step", async () => {
    await page.goto(`${origin}/#point=118.86,26.22&layer=shelters&people=3000&cover=true`);
    await page.reload();
    await ready();
    const members = await rows().count();
    assert.ok(members > 1);
    await page.locator("#nearest section > .commit").click();
    assert.equal(await page.locator("#commit fieldset").count(), members);
    await page.locator('#commit button[type="submit"]').click();
    await page.waitForFunction((members) => document.querySelectorAll("#commitments li").length === members, members);
    const made = await page.evaluate(async () => (await (await fetch("api/commitments")).json()).features);
    assert.equal(made.reduce((sum, { properties }) => sum + properties.people, 0), 3000);
  });

  await check("the page did not complain", () => assert.deepEqual(complaints, []));
});

function rows() {
  return page.locator('#nearest [data-layer="shelters"] > ol > li');
}

async function ready() {
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  await page.waitForFunction(() => document.getElementById("nearest").getAttribute("aria-busy") === "false"
    && document.querySelectorAll('#nearest [data-layer="shelters"] > ol > li').length > 0);
}

async function freePlaces() {
  const text = await rows().first().locator(".facts").textContent();
  return Number(/余位 ([\d,]+)/.exec(text)[1].replaceAll(",", ""));
}
