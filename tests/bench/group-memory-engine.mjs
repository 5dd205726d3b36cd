// SPDX-License-Identifier: Apache-2.0
// The memory driver's own table and index, beside the same driver with a library's in the place of one of them: `map` is
// boost::unordered_flat_set in the place of the table, `tree` is absl::btree_set in the place of the index, and `heads`
// is the same with the first 16 bytes of each key. Built only if absl is installed (Debian: libabsl-dev).
import { existsSync } from "node:fs";
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 0.5;
const engines = ["map", "tree", "heads"];
const tasks = [
  { task: "get" },
  { task: "batch-get", unit: "items/s" },
  { task: "set-over" },
  { task: "set-other" },
  { task: "set-new" },
  { task: "list", unit: "keys/s" },
  { task: "resident", unit: "keys/B" },
];

export function memoryEngineGroup(name, count) {
  return {
    names: tasks.map(({ task }) => `${name}-${task}`),
    async open({ build }) {
      const program = join(build, "bench", "bench_engine");
      if (!existsSync(program)) {
        console.error(`bench: ${name}-* is left out: it needs absl (apt-get install libabsl-dev)`);
        return [];
      }
      const ours = worker(program, "own", count);
      const others = Object.fromEntries(engines.map((engine) => [engine, worker(program, engine, count)]));
      for (const load of [ours, ...Object.values(others)]) await load("load", 0);
      return tasks.map(({ task, unit = "op/s" }) => ({
        name: `${name}-${task}`,
        unit,
        sides: {
          ours: rate(ours, task, seconds, "processor"),
          ...Object.fromEntries(engines.map((engine) => [engine, rate(others[engine], task, seconds, "processor")])),
        },
      }));
    },
  };
}
