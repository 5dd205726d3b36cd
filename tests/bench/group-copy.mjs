// SPDX-License-Identifier: Apache-2.0
// A job that copies files to memory, beside a loop of one thread that opens, reads and closes the same files. By the
// clock, and on both cores: a job has several workers.
import { join } from "node:path";
import { freeWorker, rate } from "./processes.mjs";

export function copyGroup(name, count) {
  return {
    names: [`${name}-fs-memory`],
    async open({ build, folder }) {
      const ask = freeWorker(join(build, "bench", "bench_copy"), folder, count);
      await ask("load", 0);
      return [
        {
          name: `${name}-fs-memory`,
          unit: "keys/s",
          bars: { reading: 0.5 },
          sides: {
            ours: rate(ask, "ours.copy", 1, "seconds"),
            reading: rate(ask, "raw.read", 1, "seconds"),
          },
        },
      ];
    },
  };
}
