// A layer that the server cannot read, in a real Chromium: unavailable.mjs BASE_URL OUT_DIR; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { join } from "node:path";
import { openScenario } from "./scenario.mjs";

const { origin, out, page, check, run } = await openScenario(["BASE_URL", "OUT_DIR"]);

await run(async () => {
  await page.goto(`${origin}/?lang=zh`);
  const notice = page.locator('[data-notice="unavailable"]');
  await notice.waitFor();
  assert.match(await notice.textContent(), /暂时无法读取.*避灾点.*前/);
  console.log("ok: the layer and the age of its state are named");
  await page.screenshot({ path: join(out, "unavailable-zh.png") });
  const { count } = (await (await fetch(`${origin}/api/layers`)).json()).layers.find(({ id }) => id === "shelters");
  assert.equal(count, 349);
  console.log("ok: its last state stays on the map");
});
