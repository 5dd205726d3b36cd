// SPDX-License-Identifier: Apache-2.0
// One client's puts to `omnistore serve` over memory, beside clients that watch what it puts: the rate with so many of
// them over the rate with none.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, loader, rate, server } from "./processes.mjs";

const seconds = 1;
const counts = [16, 256, 1000];

export function watchesGroup(name) {
  return {
    names: counts.map((count) => `${name}-${count}`),
    async open({ build, scratch }) {
      const port = await freePort();
      const config = join(scratch, "watches.jsonc");
      const listen = `127.0.0.1:${port}`;
      const admin = { listen: `127.0.0.1:${await freePort()}` };
      const mounts = { "": { driver: "memory" } };
      const http = { listen, maxWatches: 2000 };
      writeFileSync(config, JSON.stringify({ mounts, server: { http }, admin, log: { level: "warn" } }));
      await server(`http://${listen}/:`, join(build, "bin", "omnistore"), "-c", config, "serve");
      const puts = loader(join(build, "bench", "bench_watches"), port);
      return counts.map((count) => ({
        name: `${name}-${count}`,
        unit: "put/s",
        sides: { ours: rate(puts, `put.${count}`, seconds, "seconds"), alone: rate(puts, "put.0", seconds, "seconds") },
      }));
    },
  };
}
