// SPDX-License-Identifier: Apache-2.0
// Single gets of 64 callers of the postgres driver, beside libpq with one get at a time (postgres.cpp).
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 1;

export function postgresGroup(name, count) {
  return {
    names: [`${name}-get-64`],
    async open({ build }) {
      const ask = worker(join(build, "bench", "bench_postgres"), count);
      return [
        {
          name: `${name}-get-64`,
          unit: "op/s",
          bars: { libpq: 5 },
          sides: {
            ours: rate(ask, "ours.get-64", seconds, "seconds"),
            libpq: rate(ask, "raw.get", seconds, "seconds"),
          },
        },
      ];
    },
  };
}
