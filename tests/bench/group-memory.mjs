// SPDX-License-Identifier: Apache-2.0
// The memory driver, beside unstorage's and std::unordered_map (which runs in our own process).
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 0.5;
const tasks = [
  { task: "get", bars: { unstorage: 5 } },
  { task: "set-over", bars: { unstorage: 5 } },
  { task: "set-new", bars: { unstorage: 5 } },
  { task: "batch-get", unit: "items/s" },
  { task: "batch-set", unit: "items/s" },
  { task: "list", unit: "keys/s" },
  { task: "list-base", unit: "keys/s", bars: { unstorage: 50 }, raw: false },
];

export function memoryGroup(name, count) {
  return {
    names: [...tasks.map(({ task }) => `${name}-${task}`), `${name}-metrics`],
    async open({ build }) {
      const ours = worker(join(build, "bench", "bench_memory"), count);
      const unstorage = worker("node", new URL("peer-memory.mjs", import.meta.url).pathname, count);
      await ours("load", 0);
      await unstorage("load", 0);
      const measured = tasks.map(({ task, unit = "op/s", bars, raw = true }) => ({
        name: `${name}-${task}`,
        unit,
        bars,
        sides: {
          ours: rate(ours, `ours.${task}`, seconds, "processor"),
          ...(raw ? { unordered_map: rate(ours, `raw.${task}`, seconds, "processor") } : {}),
          unstorage: rate(unstorage, task, seconds, "processor"),
        },
      }));
      // The cost of counting: a get with it done twice, beside one with it done once.
      measured.push({
        name: `${name}-metrics`,
        unit: "op/s",
        bars: { once: 0.95 },
        sides: {
          ours: rate(ours, "ours.get-counted-twice", seconds, "processor"),
          once: rate(ours, "ours.get", seconds, "processor"),
        },
      });
      return measured;
    },
  };
}
