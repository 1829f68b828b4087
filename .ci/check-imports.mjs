#!/usr/bin/env node
// Holds the import rule of ARCHITECTURE.md ("Who may import whom") over what Cargo says the
// crates depend on. deny.toml holds the part about heavy packages for those who have cargo-deny;
// this needs nothing but cargo and node, so that `make lint` always holds all of it.
import { execFileSync } from "node:child_process";

const uses = {
  core: [],
  contract: ["core"],
  "model-protocol": [],
  engine: ["core"],
  cluster: ["core"],
  store: ["core"],
  assistant: ["core", "model-protocol"],
  report: ["core"],
  drill: ["core"],
  model: ["model-protocol"],
  testkit: ["core"],
  cli: ["engine", "cluster", "store", "assistant", "report", "drill", "contract", "core"],
  shell: ["engine", "cluster", "store", "assistant", "report", "drill", "contract", "core"],
};
// tests may use everything but the shell, whose window they drive as a built program.
// So may the engine's own integration tests have a real history to write into, and the worker's tests what asks the
// worker; nothing that ships sees it.
const testsOnly = { engine: ["store"], model: ["assistant", "core"] };
uses.tests = [...Object.keys(uses).filter((room) => room !== "shell"), "testkit"];

const heavy = [
  [/^(kube|kube-.*|k8s-openapi)$/, ["cluster", "tests"], "Kubernetes is spoken in afterwatch-cluster alone"],
  [/^(rusqlite|libsqlite3-sys)$/, ["store"], "SQLite is known to afterwatch-store alone"],
  [/^llama-cpp(-sys)?-2$/, ["model"], "llama.cpp lives in a process of its own, afterwatch-model"],
  [/^typst($|-)/, ["report"], "pages are set by afterwatch-report alone"],
  [/^tauri($|-)/, ["shell"], "only the desktop shell knows there is a desktop"],
  [/^(tokio|async-std|reqwest|hyper)$/, Object.keys(uses).filter((room) => !["core", "contract", "model-protocol"].includes(room)), "the domain does no I/O"],
];

const names = { afterwatch: "shell", "kubectl-afterwatch": "cli" };
const room = (crate) => names[crate] ?? (crate.startsWith("afterwatch-") ? crate.slice("afterwatch-".length) : undefined);

const metadata = JSON.parse(
  execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps", "--locked"], { encoding: "utf8", maxBuffer: 1 << 28 }),
);
const wrong = [];
for (const { name, dependencies } of metadata.packages) {
  const from = room(name);
  if (!(from in uses)) {
    wrong.push(`${name} is in no room that .ci/check-imports.mjs knows: add it there and to ARCHITECTURE.md`);
    continue;
  }
  for (const { name: dependency, kind } of dependencies) {
    const to = room(dependency);
    if (to !== undefined) {
      // Test builders are for tests, and for every crate's own.
      const inTests = kind === "dev" && (testsOnly[from] ?? []).includes(to);
      if (to === "testkit" ? kind !== "dev" && from !== "tests" : !uses[from].includes(to) && !inTests) {
        wrong.push(`${name} must not depend on ${dependency}; it may use: ${uses[from].join(", ") || "nothing of ours"}`);
      }
    }
    for (const [pattern, rooms, why] of heavy) {
      if (pattern.test(dependency) && !rooms.includes(from)) wrong.push(`${name} must not depend on ${dependency}: ${why}`);
    }
  }
}
for (const line of [...new Set(wrong)]) console.error(`imports: ${line}`);
if (wrong.length > 0) process.exit(1);
console.log(`imports: ${metadata.packages.length} crates keep to the rule`);
