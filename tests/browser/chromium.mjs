// Starts Chromium for a browser test: found by CHROMIUM or on PATH, a new profile, software WebGL, no telemetry.
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS = [
  "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
  "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-default-apps", "--disable-extensions", "--hide-scrollbars",
];

/**
 * A new browser window with its own profile; close() removes both. Without service workers every request of a page can be
 * watched and changed by the test. Without motion the map jumps instead of flying, which software WebGL draws slowly.
 */
export async function openBrowser(viewport, { serviceWorkers = "block", reducedMotion = "reduce" } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "onemap-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable(), args: FLAGS, viewport, locale: "zh-CN", timezoneId: "Asia/Shanghai", serviceWorkers, reducedMotion,
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not found; try the next directory.
      }
    }
  }
  throw new Error("no Chromium found: install it (on Debian: apt-get install chromium fonts-noto-cjk) or set CHROMIUM");
}
