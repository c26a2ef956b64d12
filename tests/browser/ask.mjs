// Queries through the form, queries restored from the URL, and covering sets: ask.mjs BASE_URL OUT_DIR; exit code 1 at
// the first failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario, PATIENCE_MS } from "./scenario.mjs";

const { origin, out, browser, page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR"], { expected: /status of 400/ });

const requests = [];

page.on("request", (request) => {
  if (request.url().includes("/api/nearest")) requests.push(request);
});

await run(async () => {
  await page.goto(`${origin}/#point=118.70,26.05`);
  await ready();
  let kept = "";

  await check("a URL with a point runs the query at once", async () => {
    for (const layer of ["shelters", "teams", "depots"]) assert.equal(await rows(layer).count(), 3, layer);
    await page.locator(".ask-form > summary").click();
  });

  await check("people, night, hazard and zones to avoid are sent as API parameters, and exclusions are shown with reasons", async () => {
    await chip("layer", "teams", false);
    await chip("layer", "depots", false);
    await answered(() => fill("people", "120"));
    await chip("night", "true", true);
    await chip("hazard", "flood", true);
    for (const zone of ["any", "warnings", "incidents"]) await chip("avoid", zone, true);
    const wanted = "point=118.7,26.05&layer=shelters&k=3&people=120&night=true&hazard=flood&avoid=any,warnings,incidents&explain=true";
    const sent = new URL(requests.at(-1).url()).searchParams;
    assert.deepEqual(Object.fromEntries(sent), Object.fromEntries(new URLSearchParams(wanted)));
    const answer = await json(`/api/nearest?${wanted}`);
    await sameAs(answer, "shelters");
    assert.equal(await page.locator("#nearest section").count(), 1);
    const { excluded } = answer.layers[0];
    assert.ok(excluded.length > 0, "nothing is excluded");
    const reasons = await page.locator("#nearest .excluded li .reasons").allTextContents();
    assert.deepEqual(reasons, excluded.map(({ reasons }) => reasons.map(({ zh }) => zh).join("；")));
    await page.locator(".ask-form > summary").click();
    await page.locator("#nearest .excluded summary").first().click();
    await page.screenshot({ path: join(out, "ask-zh.png") });
    kept = await page.evaluate(() => location.hash);
  });

  await check("what is being typed stays when an answer arrives", async () => {
    await page.locator(".ask-form > summary").click();
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route("**/api/nearest?*", async (route) => {
      await held;
      await route.continue();
    });
    await page.locator('[data-field=avoid][value="incidents"]').setChecked(false);
    await page.locator("#nearest[aria-busy=true]").waitFor();
    await page.locator("#nearest [data-field=people]").fill("121");
    release();
    await page.waitForFunction(() => document.querySelector("#nearest")?.getAttribute("aria-busy") === "false");
    assert.equal(await page.locator("#nearest [data-field=people]").inputValue(), "121");
    await page.unroute("**/api/nearest?*");
    await answered(() => page.keyboard.press("Tab"));
    assert.equal(new URL(requests.at(-1).url()).searchParams.get("people"), "121");
    assert.equal(await page.evaluate(() => document.activeElement.dataset.field), "night", "the focus moved on to the next input");
    await answered(() => fill("people", "120"));
    await chip("avoid", "incidents", true);
    await page.locator(".ask-form > summary").click();
  });

  await check("the URL repeats the query, in the language of the browser that opens it", async () => {
    const before = await rows("shelters").evaluateAll((all) => all.map((one) => one.dataset.id));
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=en${kept}`);
    await ready();
    assert.deepEqual(await rows("shelters").evaluateAll((all) => all.map((one) => one.dataset.id)), before);
    assert.equal(await page.locator("[data-field=people]").inputValue(), "120");
    for (const zone of ["any", "warnings", "incidents"]) assert.ok(await page.locator(`[data-field=avoid][value=${zone}]`).isChecked(), zone);
    const words = await page.locator("#nearest").evaluate((panel) => {
      const copy = panel.cloneNode(true);
      // Names are data; all other texts are in English.
      for (const one of copy.querySelectorAll(".name, [data-field=within], .reasons")) one.remove();
      return copy.textContent;
    });
    assert.doesNotMatch(words, /\p{Script=Han}/u);
    await page.screenshot({ path: join(out, "ask-en.png") });
  });

  await check("a township, skills and items with quantities narrow the results", async () => {
    await chip("layer", "teams", true);
    await chip("layer", "depots", true);
    await chip("layer", "shelters", false);
    await page.locator('[data-fold="skills"] > summary').click();
    await chip("skills", "flood", true);
    await page.locator('[data-fold="items"] > summary').click();
    await answered(() => page.locator("[data-field=items]").selectOption("1010101"));
    await answered(async () => {
      await page.locator('[data-item="1010101"]').fill("20");
      await page.keyboard.press("Tab");
    });
    const code = (await json("/ogc/collections/townships/items?limit=200")).features.find(({ properties }) => properties.name === "坂东镇").properties.code;
    await answered(() => page.locator("[data-field=within]").selectOption(code));
    const sent = new URL(requests.at(-1).url()).searchParams;
    assert.equal(sent.get("items"), "1010101:20");
    assert.equal(sent.get("skills"), "flood");
    assert.equal(sent.get("within"), code);
    assert.equal(sent.get("people"), null, "people are sent although no queried layer has a capacity");
    const answer = await json(`/api/nearest?${sent}`);
    for (const layer of ["teams", "depots"]) await sameAs(answer, layer);
    await answered(() => page.locator("[data-field=within]").selectOption(""));
  });

  await check("a covering set shows contributions and missing amounts", async () => {
    await chip("layer", "shelters", true);
    await answered(() => fill("people", "900"));
    await answered(async () => {
      await page.locator('[data-item="1010101"]').fill("5000");
      await page.keyboard.press("Tab");
    });
    await answered(() => page.locator("#language").click(), false);
    await chip("cover", "true", true);
    const sent = new URL(requests.at(-1).url()).searchParams;
    assert.equal(sent.get("cover"), "true");
    const answer = await json(`/api/nearest?${sent}`);
    const summary = Object.fromEntries(answer.layers.map((one) => [one.layer, one]));
    assert.ok(summary.shelters.covered && !summary.depots.covered, JSON.stringify(answer.layers));
    assert.match(await page.locator('#nearest [data-layer="shelters"] .plan.covered').textContent(), /^可满足：900 人/);
    const missing = summary.depots.uncovered.items[0].quantity;
    assert.match(await page.locator('#nearest [data-layer="depots"] .plan.short .missing').textContent(), new RegExp(`^还缺：帐篷 ${missing.toLocaleString("en-US")}$`));
    const given = await page.locator('#nearest [data-layer="shelters"] .fact.gives').allTextContents();
    const people = given.map((text) => Number(text.replaceAll(",", "").match(/承担 (\d+) 人/)[1]));
    assert.equal(people.reduce((sum, one) => sum + one, 0), 900);
    const before = given.length;
    await answered(() => page.locator("[data-field=prefer]").selectOption("fewest"));
    assert.equal(new URL(requests.at(-1).url()).searchParams.get("prefer"), "fewest");
    assert.ok(new URL(page.url()).hash.includes("prefer=fewest"), page.url());
    const fewest = await page.locator('#nearest [data-layer="shelters"] .fact.gives').count();
    assert.ok(fewest < before, `${fewest} of ${before}`);
    await page.locator("#nearest .tools button").first().click();
    await page.waitForFunction(() => window.onemap.map.queryRenderedFeatures({ layers: ["answers-line"] }).length > 0);
    await page.locator(".ask-form > summary").click();
    await page.locator("#nearest").evaluate((panel) => panel.scrollTo(0, 0));
    await page.screenshot({ path: join(out, "plan-zh.png") });
  });

  await check("a location is set by name and from the card of a feature, and an unknown name is reported", async () => {
    const place = page.locator("#nearest .question input");
    await place.fill("没有这个地方");
    await page.locator("#nearest .question form button").click();
    await page.waitForFunction(() => document.querySelector("#nearest .question input").validationMessage.includes("未找到"));
    await answered(async () => {
      await place.fill("梅溪坂东段漫堤");
      await page.locator("#nearest .question form button").click();
    });
    // An incident has an area, and distances are measured from it.
    assert.match(decodeURIComponent(await page.evaluate(() => location.hash)), /of=incidents\/IN-01/);
    const sent = JSON.parse(requests.at(-1).postData());
    const item = await json("/ogc/collections/incidents/items/IN-01");
    assert.deepEqual(JSON.parse(sent.near), item.geometry);
    await page.locator("#occurrences .past summary").click();
    await page.locator('#occurrences [data-id="IN-04"]').click();
    await answered(() => page.locator(".card .ask").click());
    assert.match(await page.locator("#nearest .where").textContent(), /货车侧翻/);
    const result = page.locator('#nearest [data-layer="shelters"] ol > li button[data-id]').first();
    const id = await result.getAttribute("data-id");
    await result.click();
    await page.waitForSelector(`.card article[data-feature="${id}"] .body[aria-busy="false"]`);
    await page.keyboard.press("Escape");
    assert.equal(await result.evaluate((own) => own === document.activeElement), true);
    await page.locator("#nearest .close").click();
    assert.doesNotMatch(await page.evaluate(() => location.hash), /of=|point=|layer=/);
  });

  await check("a flood asks for what is fit for floods outside their zones, and says why it has no times on roads", async () => {
    await page.locator('#occurrences [data-id="IN-01"]').click();
    await answered(() => page.locator(".card .ask").click());
    assert.equal(await page.locator(".ask-form > summary .chosen").textContent(), "洪水，避开 洪水");
    assert.match(await page.locator("#nearest .way").textContent(), /只能从一个点计算/);
    assert.equal(await page.locator('#nearest input[name="by"][value="road"]').isDisabled(), true);
    await page.locator("#nearest .close").click();
  });

  await check("parts of a link that are not understood are named, and the others asked for", async () => {
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=zh#point=118.86,26.22&layer=shelters,nope&k=2&people=-5&hazard=flood,flod&avoid=any&items=tents:1&within=mei&by=horse`);
    await page.waitForFunction(() => document.querySelectorAll('#nearest [data-layer="shelters"] ol > li').length === 2);
    const notice = page.locator('[data-notice="address"]');
    assert.match(await notice.locator("span").textContent(), /查询未采用.*：layer=nope、people=-5、hazard=flod、items=tents:1、within=mei、by=horse$/);
    assert.equal(await page.locator(".ask-form > summary .chosen").textContent(), "洪水，避开 所有风险区");
    await notice.locator("button").click();
    assert.equal(await notice.count(), 0);
  });

  await check("a drawn shape that crosses itself is refused in the language of the page", async () => {
    await page.goto("about:blank");
    await page.goto(`${origin}/?lang=zh#near=118.8,26.2,118.9,26.3,118.9,26.2,118.8,26.3,118.8,26.2&layer=shelters`);
    await page.waitForSelector("#nearest .failed");
    assert.match(await page.locator("#nearest .failed").textContent(), /所画的图形无效.*重画$/);
  });

  assert.deepEqual(complaints, []);
});

async function ready() {
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  await page.waitForSelector('#nearest:not([hidden])[aria-busy="false"]');
}

/** Performs an action and waits for the query that it triggers. */
async function answered(action, asks = true) {
  const count = requests.length;
  await action();
  if (asks) {
    const end = Date.now() + PATIENCE_MS;
    while (requests.length === count && Date.now() < end) await page.evaluate(() => new Promise(requestAnimationFrame));
    assert.ok(requests.length > count, "no query was sent");
  }
  await page.waitForSelector('#nearest[aria-busy="false"]');
}

async function fill(field, text) {
  await page.locator(`[data-field=${field}]`).fill(text);
  await page.keyboard.press("Tab");
}

/** Sets a check box of the form after expanding its group. */
async function chip(field, code, on) {
  const box = page.locator(`[data-field=${field}][value="${code}"]`);
  if (!(await box.isVisible())) await page.locator(`details:has([data-field=${field}]):not([open]) > summary`).last().click();
  if ((await box.isChecked()) !== on) await answered(() => box.setChecked(on));
}

function rows(layer) {
  return page.locator(`#nearest [data-layer="${layer}"] ol button`);
}

async function sameAs(answer, layer) {
  const expected = answer.features.filter(({ properties }) => (properties.layer ?? layer) === layer).map(({ id, properties }) => `${properties.rank} ${id}`);
  const shown = await rows(layer).evaluateAll((all) => all.map((one) => `${one.querySelector(".rank").textContent} ${one.dataset.id}`));
  assert.deepEqual(shown, expected, layer);
}

async function json(path) {
  return (await fetch(origin + path)).json();
}
