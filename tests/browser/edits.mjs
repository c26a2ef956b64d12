// Creating, moving, reshaping and deleting features, each undone; nothing typed is lost: edits.mjs BASE_URL OUT_DIR SECRET
// OTHER_SECRET; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { openScenario } from "./scenario.mjs";

const { origin, more: [secret, other], page, complaints, check, screenshot, run } = await openScenario(
  ["BASE_URL", "OUT_DIR", "SECRET", "OTHER_SECRET"], { viewport: { width: 1366, height: 900 }, expected: /status of (401|404|412|422)|ERR_INTERNET_DISCONNECTED|ERR_FAILED/ });
const SHELTER = "SH-0002";
const headers = { authorization: `Bearer ${other}` };

await run(async () => {
  await send(SHELTER, { contact: "李四", phone: "13900001111", status: "open", occupancy: 0, capacity: 100, capacity_night: 50, promised: 0, name: "编辑测试避灾点" });
  await page.goto(`${origin}/#map=13/26.22/118.86`);
  await signIn();

  let made;
  await check("a new feature is put on the map by a click; what the schema does not accept is said at its field", async () => {
    await page.locator("#create").click();
    assert.equal(await page.locator("#edit-layer").inputValue(), "incidents");
    await page.locator("#edit-layer").selectOption("shelters");
    await page.locator("#edit-capacity").fill("-5");
    await save();
    assert.match(await note("capacity"), /超出范围，允许 ≥ 0/);
    assert.match(await note("name"), /必须填写/);
    assert.match(await page.locator('[data-field="geometry"] .failed').textContent(), /请在地图上放置/);
    await screenshot("create-faults-zh");
    await click(0.4, 0.5);
    await page.waitForFunction(() => /^118\.\d+,26\.\d+$/.test(document.querySelector("#edit-place").value));
    await page.locator("#edit-name").fill("新建的避灾点");
    await page.locator("#edit-capacity").fill("80");
    const label = () => page.locator('label[for="edit-capacity"]').textContent();
    const before = await label();
    await page.locator("#language").click();
    assert.doesNotMatch(await label(), /\p{Script=Han}/u);
    assert.equal(await page.locator("#edit-capacity").inputValue(), "80", "what was typed stays in another language");
    await page.locator("#language").click();
    assert.equal(await label(), before);
    await page.locator("#edit-contact").fill("王五");
    await screenshot("create-zh");
    const at = (await page.locator("#edit-place").inputValue()).split(",").map(Number);
    await save();
    await said("已新建： 新建的避灾点");
    made = (await found("shelters", "新建的避灾点"))[0];
    assert.deepEqual([made.geometry.coordinates, made.properties.capacity], [at, 80]);
    assert.equal(await page.locator(".card article").getAttribute("data-feature"), made.id);
  });

  await check("what was created is taken back", async () => {
    await page.locator("#last-edit .undo").click();
    await said("已撤销。");
    assert.equal((await found("shelters", "新建的避灾点")).length, 0);
  });

  await check("an area is typed; one that crosses itself is refused in words", async () => {
    await page.locator("#create").click();
    await page.locator("#edit-layer").selectOption("warnings");
    await page.locator("#edit-place").fill("118.85,26.21\n118.87,26.23\n118.87,26.21\n118.85,26.23");
    await page.locator("#edit-place").press("Tab");
    await page.waitForFunction(() => document.querySelector('[data-field="geometry"] .failed').textContent.includes("自相交"));
    await page.locator("#edit-name").fill("键盘录入的预警");
    await save();
    assert.equal((await found("warnings", "键盘录入的预警")).length, 0);
    await page.locator("#edit-place").fill("118.85,26.21\n118.87,26.21\n不对\n118.85,26.23");
    await save();
    await page.waitForFunction(() => document.querySelector('[data-field="geometry"] .failed').textContent.includes("第 3 行"));
    await page.locator("#edit-place").fill("118.85,26.21\n118.87,26.21\n118.87,26.23\n118.85,26.23");
    await save();
    await said("已新建： 键盘录入的预警");
    const [warning] = await found("warnings", "键盘录入的预警");
    assert.deepEqual(warning.geometry.coordinates[0][2], [118.87, 26.23]);
  });

  await check("its vertices are dragged on the map; Escape puts them back, Enter saves", async () => {
    const [{ id }] = await found("warnings", "键盘录入的预警");
    await page.locator(".card .start-edit").click();
    await page.getByRole("button", { name: "在地图上修改形状" }).click();
    await page.waitForSelector('#map[data-editing="polygon"]');
    await screenshot("reshape-zh");
    await drag([118.87, 26.23], 40, 30);
    await page.waitForFunction(() => !document.querySelector("#edit-place").value.includes("118.87,26.23"));
    await page.locator("#map canvas").focus();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelector("#edit-place").value.includes("118.87,26.23"));
    await page.waitForSelector('#map[data-editing="polygon"]');
    await drag([118.87, 26.23], 40, 30);
    await page.waitForFunction(() => !document.querySelector("#edit-place").value.includes("118.87,26.23"));
    await page.locator("#map canvas").focus();
    await page.keyboard.press("Enter");
    await said("已保存。 键盘录入的预警");
    const moved = (await item("warnings", id)).geometry.coordinates[0];
    assert.equal(moved.length, 5);
    assert.ok(moved[2][0] > 118.87 && moved[2][1] < 26.23, JSON.stringify(moved));
    await page.locator("#last-edit .undo").click();
    await said("已撤销。");
    assert.deepEqual((await item("warnings", id)).geometry.coordinates[0][2], [118.87, 26.23]);
  });

  await check("a line is drawn; another window hears of it, and the own one announces nothing", async () => {
    const second = await page.context().newPage();
    await second.goto(`${origin}/`);
    await second.waitForFunction(() => document.documentElement.dataset.ready === "true");
    await page.bringToFront();
    await page.locator("#create").click();
    await page.locator("#edit-layer").selectOption("incidents");
    await page.locator('input[name="place-kind"][value="line"]').check({ force: true });
    await page.waitForSelector('#map[data-editing="linestring"]');
    for (const [x, y] of [[0.3, 0.4], [0.4, 0.5], [0.5, 0.4]]) await click(x, y);
    await click(0.5, 0.4);
    await page.waitForFunction(() => document.querySelector("#edit-place").value.split("\n").length === 3);
    await page.locator("#edit-name").fill("绘制的事件");
    await page.locator("#edit-status").selectOption("responding");
    await page.locator("#edit-name").press("Enter");
    const stored = Date.now();
    await second.locator("#arrivals .toast", { hasText: "绘制的事件" }).waitFor();
    console.log(`the other window showed it ${Date.now() - stored} ms after it was sent`);
    await second.close();
    await said("已新建： 绘制的事件");
    assert.equal((await found("incidents", "绘制的事件"))[0].geometry.coordinates.length, 3);
    await page.locator("#occurrences .name", { hasText: "绘制的事件" }).waitFor();
    assert.equal(await page.locator("#arrivals .toast", { hasText: "绘制的事件" }).count(), 0);
  });

  await check("a point is moved by dragging and put back", async () => {
    await openForm();
    const before = (await item("shelters", SHELTER)).geometry.coordinates;
    await page.getByRole("button", { name: "在地图上移动" }).click();
    await page.waitForSelector(".placing");
    await settled();
    const marker = await page.locator(".placing").boundingBox();
    await page.mouse.move(marker.x + 13, marker.y + 12);
    await page.mouse.down();
    await page.mouse.move(marker.x + 60, marker.y + 40, { steps: 5 });
    await page.mouse.up();
    await save();
    await said("已保存。 编辑测试避灾点");
    const moved = (await item("shelters", SHELTER)).geometry.coordinates;
    assert.ok(moved[0] > before[0] && moved[1] < before[1], `${before} ${moved}`);
    await page.keyboard.press("Control+z");
    await said("已撤销。");
    assert.deepEqual((await item("shelters", SHELTER)).geometry.coordinates, before);
  });

  await check("what the server refuses is said at the field that it names, in the language of the page", async () => {
    await openForm();
    await page.locator("#edit-occupancy").fill("101");
    await save();
    await page.waitForFunction(() => document.querySelector("#edit-occupancy-note").textContent !== "");
    assert.match(await note("occupancy"), /^人数超过容量/);
    assert.equal(await page.locator("#edit-occupancy").getAttribute("aria-invalid"), "true");
  });

  await check("what was typed survives a lost connection", async () => {
    await page.locator("#edit-occupancy").fill("7");
    await page.context().setOffline(true);
    await save();
    await page.waitForFunction(() => document.querySelector("#nearest .end .failed").textContent.includes("填写的内容已保留"));
    assert.equal(await page.locator("#edit-occupancy").inputValue(), "7");
    await page.context().setOffline(false);
  });

  await check("and a sign-in that expires", async () => {
    await page.context().addCookies([{ name: "onemap_session", value: "onemap_gone", url: origin, httpOnly: true, sameSite: "Strict" }]);
    // Another request of the page may be refused before it, and opens the dialog.
    await page.locator('#nearest .edit button[type="submit"]').evaluate((button) => button.click());
    await page.waitForSelector("#sign-in[open]");
    await page.locator('#sign-in input[name="secret"]').fill(secret);
    await page.locator('#sign-in button[type="submit"]').click();
    await page.waitForSelector('[data-notice="draft"]');
    assert.match(await page.locator('[data-notice="draft"]').textContent(), /已恢复/);
    assert.equal(await page.locator("#edit-occupancy").inputValue(), "7");
    await screenshot("draft-restored-zh");
  });

  await check("and a reload; names and phones are not kept", async () => {
    await page.locator("#edit-contact").fill("不可保存");
    await page.locator("#edit-name").fill("编辑测试避灾点二");
    assert.ok(!(await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]))).includes("不可保存"));
    await page.reload();
    await page.waitForSelector("#edit-occupancy");
    assert.deepEqual([await page.locator("#edit-occupancy").inputValue(), await page.locator("#edit-name").inputValue()], ["7", "编辑测试避灾点二"]);
    assert.match(await page.locator('[data-notice="draft"]').textContent(), /姓名和电话出于保密未保留/);
  });

  await check("closing the panel keeps what was typed until it is discarded", async () => {
    await page.locator("#nearest .close").click();
    await page.locator('[data-notice="draft"]').getByRole("button", { name: "继续编辑" }).click();
    assert.equal(await page.locator("#edit-occupancy").inputValue(), "7");
  });

  await check("a field that somebody else changed takes theirs by a button", async () => {
    await send(SHELTER, { occupancy: 33, status: "full" });
    await save();
    await page.waitForSelector("#edit-occupancy-note .take");
    assert.match(await note("occupancy"), /他人已改为：33 人/);
    await screenshot("conflict-take-zh");
    await page.locator("#edit-occupancy-note .take").click();
    assert.deepEqual([await page.locator("#edit-occupancy").inputValue(), await page.locator("#edit-status").inputValue(), await note("occupancy")], ["33", "full", ""]);
    await save();
    await said("已保存。 编辑测试避灾点二");
    const { name, occupancy, status } = (await item("shelters", SHELTER)).properties;
    assert.deepEqual([name, occupancy, status], ["编辑测试避灾点二", 33, "full"]);
    await page.locator("#last-edit .undo").click();
    await said("已撤销。");
    assert.equal((await item("shelters", SHELTER)).properties.name, "编辑测试避灾点");
  });

  await check("a feature is deleted after a confirmation, and comes back whole", async () => {
    const before = await item("shelters", SHELTER);
    await page.waitForSelector('.card .body[aria-busy="false"]');
    await page.locator(".card .start-delete").click();
    await page.waitForSelector(".confirmation[open]");
    await screenshot("delete-zh");
    await page.locator(".confirmation .actions button:not(.danger)").click();
    assert.equal((await item("shelters", SHELTER)).id, SHELTER);
    await page.locator(".card .start-delete").click();
    await page.locator(".confirmation .danger").click();
    await said("已删除");
    assert.equal((await fetch(`${origin}/ogc/collections/shelters/items/${SHELTER}`, { headers })).status, 404);
    await page.locator("#last-edit .undo").click();
    await said("已撤销。");
    const after = await item("shelters", SHELTER);
    const { version, updated_at: _, ...rest } = after.properties;
    const { version: versionBefore, updated_at: __, ...restBefore } = before.properties;
    assert.deepEqual([after.geometry, rest], [before.geometry, restBefore]);
    const revealed = await fetch(`${origin}/api/reveal`, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify({ collection: "shelters", id: SHELTER, reason: "测试" }) });
    assert.deepEqual((await revealed.json()).values, { contact: "李四", phone: "13900001111" });
  });

  await check("who may not write is offered nothing, and whoever signs out leaves nothing", async () => {
    await page.locator(".card .start-edit").click();
    await page.locator("#edit-name").fill("不该留下");
    await page.locator("#session").click();
    await page.locator("#sign-in .primary").click();
    await page.waitForFunction(() => document.getElementById("session").textContent === "登录" && document.documentElement.dataset.ready === "true");
    assert.ok(await page.locator("#create").isHidden());
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
  assert.deepEqual(complaints, []);
});

async function signIn() {
  await page.evaluate((secret) => fetch("api/session", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ secret }),
  }), secret);
  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true" && !document.getElementById("create").hidden);
}

async function openForm() {
  await page.locator("#search input").fill("编辑测试避灾点");
  await page.locator(`#search li[data-id="${SHELTER}"]`).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForSelector(`.card article[data-feature="${SHELTER}"] .body[aria-busy="false"]`);
  await settled();
  await page.locator(".card .start-edit").click();
  await page.waitForSelector("#edit-occupancy");
}

/** The map has come to rest. */
function settled() {
  return page.waitForFunction(() => !window.onemap.map.isMoving());
}

async function click(x, y) {
  const frame = await page.locator("#map").boundingBox();
  await page.mouse.move(frame.x + frame.width * x - 3, frame.y + frame.height * y);
  await page.mouse.move(frame.x + frame.width * x, frame.y + frame.height * y);
  await page.mouse.click(frame.x + frame.width * x, frame.y + frame.height * y);
}

async function drag(place, dx, dy) {
  await settled();
  const at = await page.evaluate((place) => window.onemap.map.project(place), place);
  const frame = await page.locator("#map").boundingBox();
  await page.mouse.move(frame.x + at.x, frame.y + at.y);
  await page.mouse.down();
  await page.mouse.move(frame.x + at.x + dx, frame.y + at.y + dy, { steps: 8 });
  await page.mouse.up();
}

/** What the bar of the last edit says. */
function said(text) {
  return page.waitForFunction((text) => document.querySelector("#last-edit p")?.textContent.startsWith(text), text);
}

function save() {
  return page.locator('#nearest .edit button[type="submit"]').click();
}

function note(field) {
  return page.locator(`#edit-${field}-note`).evaluate((note) => [...note.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join(""));
}

async function item(layer, id) {
  return (await fetch(`${origin}/ogc/collections/${layer}/items/${id}`, { headers })).json();
}

async function found(layer, name) {
  const reply = await fetch(`${origin}/ogc/collections/${layer}/items?name=${encodeURIComponent(name)}`, { headers });
  return (await reply.json()).features;
}

async function send(id, properties) {
  const reply = await fetch(`${origin}/ogc/collections/shelters/items/${id}`, {
    method: "PATCH", body: JSON.stringify({ properties }), headers: { ...headers, "content-type": "application/merge-patch+json" },
  });
  assert.equal(reply.status, 204, await reply.text());
}
