// Pages behind a proxy with a path prefix, in a real Chromium: prefix.mjs SERVER_URL PUBLIC_URL; exit code 1 at the first failure.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { openBrowser } from "./chromium.mjs";

const [server, publicUrl] = process.argv.slice(2);
if (!publicUrl) {
  console.error("usage: node tests/browser/prefix.mjs SERVER_URL PUBLIC_URL");
  process.exit(2);
}
const target = new URL(server);
const { pathname: prefix, port } = new URL(publicUrl);
const PATIENCE_MS = 90_000;
const complaints = [];

const proxy = createServer((incoming, outgoing) => {
  if (!incoming.url.startsWith(`${prefix}/`)) {
    complaints.push(`a request for ${incoming.url}`);
    outgoing.writeHead(404).end();
    return;
  }
  const { method, headers } = incoming;
  const path = incoming.url.slice(prefix.length);
  const forwarded = request({ host: target.hostname, port: target.port, method, path, headers }, (reply) => {
    outgoing.writeHead(reply.statusCode, reply.headers);
    reply.pipe(outgoing);
  });
  forwarded.on("error", () => outgoing.destroy());
  outgoing.on("close", () => forwarded.destroy());
  incoming.pipe(forwarded);
});
await new Promise((done) => proxy.listen(Number(port), "127.0.0.1", done));

const browser = await openBrowser({ width: 1366, height: 768 });
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
page.setDefaultTimeout(PATIENCE_MS);
page.on("console", (message) => {
  if (message.type() === "error") complaints.push(message.text());
});
page.on("pageerror", (error) => complaints.push(error.message));
page.on("dialog", (dialog) => {
  complaints.push(`a script ran: ${dialog.message()}`);
  void dialog.dismiss();
});

try {
  await page.goto(`${publicUrl}/ogc/collections/shelters/items?f=html&limit=3`);
  await page.waitForSelector('#map[data-drawn="true"]');
  await page.locator("td a").first().click();
  await page.waitForSelector('#map[data-drawn="true"]');
  console.log("pages of features draw their map");

  await page.locator('footer a[href$="/docs"]').click();
  await page.waitForSelector(".opblock");
  console.log("the description of the API opens");

  await page.goBack();
  await page.locator("footer a").first().click();
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  console.log("the map opens");

  assert.deepEqual(complaints, []);
} catch (error) {
  console.error(error);
  for (const complaint of complaints) console.error(`page: ${complaint}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  proxy.closeAllConnections();
  proxy.close();
}
