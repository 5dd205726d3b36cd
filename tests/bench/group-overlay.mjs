// SPDX-License-Identifier: Apache-2.0
// An overlay of memory over files, beside unstorage's and a plain memory mount.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 0.5;
const tasks = [
  { task: "hit", memory: 0.6 },
  { task: "fall" },
  { task: "list", unit: "keys/s", unstorage: 3 },
];

export function overlayGroup(name, count) {
  return {
    names: tasks.map(({ task }) => `${name}-${task}`),
    async open({ build, folder }) {
      const files = join(folder, name);
      mkdirSync(files);
      const ours = worker(join(build, "bench", "bench_overlay"), files, count);
      const unstorage = worker("node", new URL("peer-overlay.mjs", import.meta.url).pathname, files, count);
      await ours("load", 0);
      await unstorage("load", 0);
      return tasks.map(({ task, unit = "op/s", ...bars }) => ({
        name: `${name}-${task}`,
        unit,
        bars,
        sides: {
          ours: rate(ours, `ours.${task}`, seconds, "processor"),
          ...(bars.memory ? { memory: rate(ours, `memory.${task}`, seconds, "processor") } : {}),
          unstorage: rate(unstorage, task, seconds, "processor"),
        },
      }));
    },
  };
}
