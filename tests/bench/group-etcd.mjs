// SPDX-License-Identifier: Apache-2.0
// The etcd driver, beside the same transactions by curl with the same member of etcd (etcd.cpp).
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 1;

export function etcdGroup(name, count) {
  return {
    names: [`${name}-batch-get`],
    async open({ build }) {
      const ask = worker(join(build, "bench", "bench_etcd"), count);
      return [
        {
          name: `${name}-batch-get`,
          unit: "items/s",
          bars: { curl: 0.8 },
          sides: {
            ours: rate(ask, "ours.batch-get", seconds, "seconds"),
            curl: rate(ask, "raw.batch-get", seconds, "seconds"),
          },
        },
      ];
    },
  };
}
