// Prints what the first load of the viewer costs: bytes, first paint, time of the main thread, frames while panning:
// first_load.mjs BASE_URL. The viewer contains the map library; the requests of its worker, for tiles, are not counted. The figures of time depend on the machine, which draws with software WebGL.
import { openBrowser } from "./chromium.mjs";

const [base] = process.argv.slice(2);
if (!base) {
  console.error("usage: node tests/browser/first_load.mjs BASE_URL");
  process.exit(2);
}
const PAN_MS = 5_000;
const browser = await openBrowser({ width: 1366, height: 768 }, { reducedMotion: "no-preference" });
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
const tools = await browser.context.newCDPSession(page);
await tools.send("Network.enable");
await tools.send("Performance.enable");
const urls = new Map();
const bytes = { viewer: 0, data: 0 };
tools.on("Network.responseReceived", ({ requestId, response }) => urls.set(requestId, new URL(response.url).pathname));
tools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => (bytes[kindOf(urls.get(requestId) ?? "")] += encodedDataLength));
const started = Date.now();
await page.goto(base);
await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
const ready = Date.now() - started;
await page.evaluate(async () => {
  const { map } = window.onemap;
  if (!map.loaded()) await new Promise((resolve) => map.once("idle", resolve));
});
for (const [kind, own] of Object.entries(bytes)) console.log(`${kind.padEnd(12)} ${(own / 1000).toFixed(1).padStart(8)} kB as sent`);
const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
const { metrics } = await tools.send("Performance.getMetrics");
const seconds = (name) => metrics.find((metric) => metric.name === name).value;
console.log(`first paint ${Math.round(paint)} ms, map ready ${ready} ms, main thread ${(seconds("TaskDuration") * 1000).toFixed(0)} ms of which script ${(seconds("ScriptDuration") * 1000).toFixed(0)} ms`);
const frames = await page.evaluate(async (panMs) => {
  const { map } = window.onemap;
  let count = 0;
  map.on("render", () => (count += 1));
  map.jumpTo({ center: [118.78, 26.16], zoom: 13 });
  map.panBy([2000, -800], { duration: panMs, easing: (at) => at });
  await new Promise((resolve) => map.once("moveend", resolve));
  return count;
}, PAN_MS);
console.log(`${(frames / (PAN_MS / 1000)).toFixed(1)} frames a second while panning`);
await browser.close();

function kindOf(path) {
  return path === "/" || path.startsWith("/viewer/") ? "viewer" : "data";
}
