// SPDX-License-Identifier: Apache-2.0
// The redis driver, beside bare hiredis with the same server. threads-get is 64 threads of ours beside one of hiredis
// that reads one value at a time.
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 1;
const tasks = [
  { task: "get", raw: "get" },
  { task: "batch-get", raw: "batch-get", unit: "items/s", bar: 0.7 },
  { task: "threads-get", raw: "get", bar: 3 },
];

export function redisGroup(name, count) {
  return {
    names: tasks.map(({ task }) => `${name}-${task}`),
    async open({ build }) {
      const ask = worker(join(build, "bench", "bench_redis"), count);
      return tasks.map(({ task, raw, unit = "op/s", bar }) => ({
        name: `${name}-${task}`,
        unit,
        bars: { hiredis: bar },
        sides: {
          ours: rate(ask, `ours.${task}`, seconds, "seconds"),
          hiredis: rate(ask, `raw.${raw}`, seconds, "seconds"),
        },
      }));
    },
  };
}

// Batches of 100 in a cluster of three masters, beside one pipeline of hiredis to each. Ours also removes the user meta
// that a value may have had, which is why a set is three commands beside one, and has no bar.
export function redisClusterGroup(name, count) {
  return {
    names: [`${name}-batch-get`, `${name}-batch-set`],
    async open({ build }) {
      const ask = worker(join(build, "bench", "bench_redis_cluster"), count);
      return ["batch-get", "batch-set"].map((task) => ({
        name: `${name}-${task}`,
        unit: "items/s",
        bars: { hiredis: task === "batch-get" ? 0.8 : undefined },
        sides: {
          ours: rate(ask, `ours.${task}`, seconds, "seconds"),
          hiredis: rate(ask, `raw.${task}`, seconds, "seconds"),
        },
      }));
    },
  };
}
