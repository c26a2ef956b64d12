// Builds the viewer: build.mjs --out DIR writes DIR/index.html, DIR/docs.html, DIR/service-worker.js and DIR/viewer/*.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const maplibre = join(here, "node_modules", "maplibre-gl");

const at = process.argv.indexOf("--out");
if (at < 0 || !process.argv[at + 1]) {
  console.error("usage: node build.mjs --out DIR");
  process.exit(2);
}
const out = resolve(process.argv[at + 1]);
const files = join(out, "viewer");
rmSync(files, { recursive: true, force: true });
mkdirSync(files, { recursive: true });

await build({
  absWorkingDir: here,
  entryPoints: ["main.ts", "main.css", "page.ts", "docs.ts", "onemap.ts"],
  splitting: true,
  outdir: files,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  loader: { ".svg": "dataurl" },
  legalComments: "none",
  logLevel: "warning",
});

// A service worker serves only what is below its own path, so it lies beside the page.
await build({
  absWorkingDir: here,
  entryPoints: { "service-worker": "service_worker.ts" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  legalComments: "none",
  logLevel: "warning",
});

// The map library decodes tiles in a worker, which is a separate module file.
const worker = readFileSync(join(maplibre, "dist", "maplibre-gl-worker.mjs"), "utf8");
writeFileSync(join(files, "maplibre-gl-worker.mjs"), worker.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n"));
copyFileSync(join(maplibre, "LICENSE.txt"), join(files, "maplibre-gl-license.txt"));
copyFileSync(join(here, "icon.svg"), join(files, "icon.svg"));

copyFileSync(join(here, "docs.html"), join(out, "docs.html"));

// File names in the page have a hash of the content, so that a browser never mixes two builds.
let page = readFileSync(join(here, "index.html"), "utf8");
for (const name of ["main.js", "main.css", "icon.svg"]) {
  const hash = createHash("sha256").update(readFileSync(join(files, name))).digest("hex").slice(0, 10);
  page = page.replaceAll(`viewer/${name}"`, `viewer/${name}?v=${hash}"`);
}
writeFileSync(join(out, "index.html"), page);
