// A browser test: its arguments, a page that collects complaints, named checks, and a screenshot when one fails.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { openBrowser } from "./chromium.mjs";

export const PATIENCE_MS = 90_000;

/**
 * Opens a page for the arguments of the script: the address of the server, a directory for screenshots, and further ones by
 * name. Console errors that match `expected`, such as refusals that the test provokes, are no complaints; requests to other
 * hosts are, unless their URL matches `elsewhere`.
 */
export async function openScenario(names, { viewport = { width: 1366, height: 768 }, expected, elsewhere, ...options } = {}) {
  const values = process.argv.slice(2);
  const script = basename(process.argv[1]);
  if (values.length !== names.length) {
    console.error(`usage: node tests/browser/${script} ${names.join(" ")}`);
    process.exit(2);
  }
  const [base, out, ...more] = values;
  mkdirSync(out, { recursive: true });
  const complaints = [];
  const browser = await openBrowser(viewport, options);
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => {
    if (message.type() === "error" && !expected?.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${new URL(base).origin}/`) && !/^(about|blob|data):/.test(url) && !elsewhere?.test(url)) complaints.push(`foreign request: ${url}`);
  });
  let name = "start";

  /** Prints a line when the check holds. */
  async function check(promise, act) {
    name = promise;
    await act();
    console.log(`ok: ${promise}`);
  }

  const screenshot = (title) => page.screenshot({ path: join(out, `${title}.png`) });

  /** Runs the checks; the exit code is 1 at the first that fails. */
  async function run(checks) {
    try {
      await checks();
      assert.deepEqual(complaints, [], "the page complained");
    } catch (error) {
      console.error(`failed: ${name}\n${error.stack ?? error}`);
      for (const complaint of complaints) console.error(`page: ${complaint}`);
      await screenshot(`failed-${script.replace(".mjs", "")}`).catch(() => undefined);
      process.exitCode = 1;
    } finally {
      await browser.close();
    }
  }

  return { origin: new URL(base).origin, out, more, browser, page, complaints, check, screenshot, run };
}
