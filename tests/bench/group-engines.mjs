// SPDX-License-Identifier: Apache-2.0
// An engine's driver, beside the engine's own library with the same settings (sqlite.cpp, lmdb.cpp). Both have their files
// in one folder. Nothing that is measured waits for the disk, so the processor is all it takes.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 1;

/** `tasks`: name, unit and bar of each. */
export function engineGroup(name, count, tasks) {
  return {
    names: tasks.map(({ task }) => `${name}-${task}`),
    async open({ build, folder }) {
      const files = join(folder, name);
      mkdirSync(files);
      const ask = worker(join(build, "bench", `bench_${name}`), files, count);
      return tasks.map(({ task, unit, bar }) => ({
        name: `${name}-${task}`,
        unit,
        bars: { raw: bar },
        sides: {
          ours: rate(ask, `ours.${task}`, seconds, "processor"),
          raw: rate(ask, `raw.${task}`, seconds, "processor"),
        },
      }));
    },
  };
}
