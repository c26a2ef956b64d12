// Checks a style file with the official validator: validate.mjs FILE; one line per error, exit code 1 when there is one.
import { readFileSync } from "node:fs";
import { validateStyleMin } from "@maplibre/maplibre-gl-style-spec";

const file = process.argv[2];
if (!file) {
  console.error("usage: node tests/styles/validate.mjs FILE");
  process.exit(2);
}

const style = JSON.parse(readFileSync(file, "utf8"));
const errors = validateStyleMin(style);
for (const error of errors) {
  console.error(`${file}: ${error.line ? `line ${error.line}: ` : ""}${error.message}`);
}
if (errors.length > 0) {
  process.exit(1);
}
console.log(`${file}: valid, ${style.layers.length} style layers`);
