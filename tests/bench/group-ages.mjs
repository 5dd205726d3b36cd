// SPDX-License-Identifier: Apache-2.0
// Values that age: a stale copy beside a fresh one, and a million keys that expire at one moment.
import { join } from "node:path";
import { output, rate, worker } from "./processes.mjs";

const seconds = 0.5;

export function agesGroup(name, count) {
  return {
    names: [`${name}-stale`, `${name}-expire`],
    async open({ build, scratch, rounds }) {
      const program = join(build, "bench", "bench_ages");
      const ours = worker(program);
      await ours("load", 0);
      const rows = async () => {
        const runs = [];
        for (let round = 0; round < rounds; ++round) runs.push(JSON.parse(await output(scratch, program, "expire", count)));
        const middle = (field) => runs.map((run) => run[field]).sort((a, b) => a - b)[runs.length >> 1];
        return [
          { name: `${name}-expire-gone`, unit: "ms", ours: middle("gone"), bar: 2000, most: true },
          { name: `${name}-expire-worst`, unit: "ms", ours: middle("worst"), bar: 5, most: true },
        ];
      };
      return [
        {
          name: `${name}-stale`,
          unit: "op/s",
          bars: { fresh: 0.83 },
          sides: {
            ours: rate(ours, "stale", seconds, "processor"),
            fresh: rate(ours, "fresh", seconds, "processor"),
          },
        },
        { name: `${name}-expire`, rows },
      ];
    },
  };
}
