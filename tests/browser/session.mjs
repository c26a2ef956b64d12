// Signing in, contacts for a reason, editing with conflict and undo: session.mjs BASE_URL OUT_DIR SECRET OTHER_SECRET;
// exit code 1 at the first failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, more: [secret, other], page, complaints, check, run } = await openScenario(["BASE_URL", "OUT_DIR", "SECRET", "OTHER_SECRET"], { expected: /status of (401|412)/ });

const SHELTER = "SH-0001";

await run(async () => {
  await send("PATCH", { contact: "张三丰", phone: "13812341234", status: "open", occupancy: 5, name: "改名前的避灾点" });
  await open();

  await check("the public sees no pipelines, and a wrong secret is refused with a reason", async () => {
    assert.equal(await page.locator("#session").textContent(), "登录");
    assert.ok(!(await layers()).includes("pipelines"));
    await page.locator("#session").click();
    await page.locator('#sign-in input[name="secret"]').fill("onemap_wrong");
    await page.locator('#sign-in button[type="submit"]').click();
    await page.waitForFunction(() => document.querySelector("#sign-in .failed")?.textContent.includes("密钥错误"));
    await page.screenshot({ path: join(out, "sign-in-zh.png") });
  });

  await check("who signs in sees what the role permits, and scripts cannot read the secret", async () => {
    await page.locator('#sign-in input[name="secret"]').fill(secret);
    await page.locator('#sign-in button[type="submit"]').click();
    await page.waitForFunction(() => document.getElementById("session").textContent === "指挥中心");
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    assert.ok((await layers()).includes("pipelines"));
    assert.equal(await page.evaluate(() => document.cookie), "");
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.ok(!kept.includes(secret));
  });

  await check("contacts are shown after a reason was given", async () => {
    await openCard();
    assert.ok(!(await page.locator(".card").textContent()).includes("13812341234"));
    await page.locator(".card .contacts > button").click();
    await page.locator('.card .contacts input[name="reason"]').fill("转移群众");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector(".card .contacts dl")?.textContent.includes("13812341234"));
    assert.match(await page.locator(".card .contacts").textContent(), /张三丰/);
    await page.screenshot({ path: join(out, "contacts-zh.png") });
  });

  await check("an edit is saved and can be undone", async () => {
    await edit();
    await page.locator("#edit-status").selectOption("full");
    await page.screenshot({ path: join(out, "edit-zh.png") });
    await save();
    await page.waitForSelector("#last-edit .undo");
    assert.equal((await stored()).status, "full");
    await page.locator("#last-edit .undo").click();
    await page.waitForFunction(() => !document.querySelector("#last-edit .undo"));
    assert.deepEqual([(await stored()).status, (await stored()).phone], ["open", undefined]);
  });

  await check("a change of somebody else is shown by its field, and what was typed is kept", async () => {
    await edit();
    await page.locator("#edit-status").selectOption("full");
    await send("PATCH", { status: "closed", occupancy: 9 });
    await save();
    await page.waitForFunction(() => document.querySelector("#nearest .edit .end .failed")?.textContent.includes("他人刚刚修改"));
    const note = page.locator("#edit-status-note");
    assert.match(await note.textContent(), /他人已改为：.*已关闭/);
    assert.equal(await page.locator("#edit-status").inputValue(), "full");
    await page.screenshot({ path: join(out, "conflict-zh.png") });
    await save();
    await page.waitForSelector("#last-edit .undo");
    assert.deepEqual([(await stored()).status, (await stored()).occupancy], ["full", 9]);
  });

  await check("an account that is revoked has to sign in again", async () => {
    await page.context().addCookies([{ name: "onemap_session", value: "onemap_gone", url: origin, httpOnly: true, sameSite: "Strict" }]);
    await page.reload();
    await page.waitForFunction(() => document.querySelector("#sign-in[open] .failed")?.textContent.includes("登录已失效"));
    await page.locator('#sign-in input[name="secret"]').fill(secret);
    await page.locator('#sign-in button[type="submit"]').click();
    await page.waitForFunction(() => document.getElementById("session").textContent === "指挥中心");
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    await page.locator("#session").click();
    await page.locator("#sign-in .primary").click();
    await page.waitForFunction(() => document.getElementById("session").textContent === "登录");
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    assert.ok(!(await layers()).includes("pipelines"));
  });

  await check("an administrator reads who did what, when and why", async () => {
    const signIn = async (secret, name) => {
      await page.locator("#session").click();
      await page.locator('#sign-in input[name="secret"]').fill(secret);
      await page.locator('#sign-in button[type="submit"]').click();
      await page.waitForFunction((name) => document.getElementById("session").textContent === name, name);
      await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
      await page.locator("#session").click();
    };
    await signIn(secret, "指挥中心");
    assert.equal(await page.getByRole("button", { name: "操作记录" }).count(), 0);
    await page.locator("#sign-in .primary").click();
    await page.waitForFunction(() => document.getElementById("session").textContent === "登录");
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
    await signIn(other, "管理员");
    await page.getByRole("button", { name: "操作记录" }).click();
    const entries = page.locator("#nearest .entries details");
    await entries.first().waitFor();
    assert.match(await entries.first().locator("summary").textContent(), /^登录/);
    await page.locator('#nearest [name="action"]').selectOption("reveal");
    await page.locator('#nearest [name="actor"]').fill("指挥中心");
    await page.locator("#nearest .limits button").click();
    await page.waitForFunction(() => document.querySelectorAll("#nearest .entries details").length === 1);
    await entries.first().locator("summary").click();
    assert.match(await entries.first().textContent(), /查看联系人 避灾点 SH-0001指挥中心.*角色调度来自127\.0\.0\.1理由转移群众/);
    await page.locator('#nearest [name="action"]').selectOption("change");
    await page.locator("#nearest .limits button").click();
    await page.waitForFunction(() => document.querySelectorAll("#nearest .entries details").length === 3);
    await entries.first().locator("summary").click();
    await page.screenshot({ path: join(out, "audit-log-zh.png") });
    assert.deepEqual(await entries.first().locator("tbody tr").first().locator("th, td").allTextContents(), ["状态", "已关闭", "已满"]);
  });
  assert.deepEqual(complaints, []);
});

async function open() {
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
}

function layers() {
  return page.evaluate(() => window.onemap.map.getStyle().layers.map((layer) => layer["source-layer"]));
}

async function openCard() {
  await page.locator("#search input").fill("改名前的避灾点");
  await page.locator(`#search li[data-id="${SHELTER}"]`).click();
  await page.waitForSelector(`.card article[data-feature="${SHELTER}"] .body[aria-busy="false"]`);
}

async function edit() {
  await page.locator(".card .start-edit").click();
  await page.waitForSelector("#nearest .edit select");
}

function save() {
  return page.locator('#nearest .edit button[type="submit"]').click();
}

async function stored() {
  const reply = await fetch(`${origin}/ogc/collections/shelters/items/${SHELTER}`, { headers: { authorization: `Bearer ${other}` } });
  return (await reply.json()).properties;
}

async function send(method, properties) {
  const reply = await fetch(`${origin}/ogc/collections/shelters/items/${SHELTER}`, {
    method, body: JSON.stringify({ properties }),
    headers: { authorization: `Bearer ${other}`, "content-type": "application/merge-patch+json" },
  });
  assert.equal(reply.status, 204, await reply.text());
}
