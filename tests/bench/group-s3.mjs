// SPDX-License-Identifier: Apache-2.0
// The s3 driver, beside curl with the same radosgw and the same signature (s3.cpp).
import { join } from "node:path";
import { freeWorker, rate } from "./processes.mjs";

const seconds = 2;

export function s3Group(name) {
  return {
    names: ["in", "out"].map((task) => `${name}-${task}`),
    async open({ build }) {
      const ask = freeWorker(join(build, "bench", "bench_s3")); // the server's processes are its children
      return ["in", "out"].map((task) => ({
        name: `${name}-${task}`,
        unit: "MiB/s",
        bars: { curl: 0.9 },
        sides: {
          ours: rate(ask, `ours.${task}`, seconds, "seconds"),
          curl: rate(ask, `raw.${task}`, seconds, "seconds"),
        },
      }));
    },
  };
}
