// Prints the licences of everything that is built into the two programs and the window: each library's name, version and
// licence, and each distinct licence text once with the libraries it came from.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const host = /host: (.*)/.exec(execFileSync("rustc", ["-vV"], { encoding: "utf8" }))[1];
const metadata = JSON.parse(
  execFileSync("cargo", ["metadata", "--locked", "--format-version", "1", "--filter-platform", host], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  }),
);

// What the programs contain: followed from them, leaving out what only builds or tests need.
const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
const packages = new Map(metadata.packages.map((found) => [found.id, found]));
const wanted = metadata.packages.filter(({ name }) => name === "afterwatch" || name === "kubectl-afterwatch");
const reached = new Set();
for (const todo = wanted.map(({ id }) => id); todo.length > 0; ) {
  const id = todo.pop();
  if (reached.has(id)) continue;
  reached.add(id);
  for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) if (kinds.some(({ kind }) => kind === null)) todo.push(pkg);
}
const libraries = [...reached]
  .map((id) => packages.get(id))
  .filter(({ source }) => source !== null)
  .map(({ name, version, license, manifest_path: manifest }) => ({ name, version, license, folder: dirname(manifest) }));

// Of the window only what is bundled: Svelte's run time and Tauri's calls.
for (const name of ["svelte", "@tauri-apps/api"]) {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  libraries.push({ name, version, license, folder });
}
// The faces of the PDF, which are embedded.
libraries.push({
  name: "Noto Serif, Noto Sans (fonts), DejaVu Sans Mono (font)",
  version: "2.004, 2.37",
  license: "OFL-1.1, Bitstream Vera",
  folder: join("src-tauri", "report", "fonts"),
});

const texts = new Map();
console.log("Afterwatch contains these libraries:\n");
for (const { name, version, license, folder } of libraries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
  console.log(`${name} ${version}: ${license ?? "see its text"}`);
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice|unlicense)/i.test(file)) : [];
  for (const file of files) {
    let text;
    try {
      text = readFileSync(join(folder, file), "utf8").trim();
    } catch {
      continue; // A folder of that name.
    }
    texts.set(text, [...(texts.get(text) ?? []), `${name} ${version}`]);
  }
}
for (const [text, from] of texts) console.log(`\n${"=".repeat(78)}\n${from.join(", ")}\n\n${text}`);
