// SPDX-License-Identifier: Apache-2.0
// `omnistore ls` of a million keys: when its first line comes, and the most memory it holds.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function lsGroup(name, count) {
  return {
    names: [name],
    async open({ build, scratch, rounds }) {
      const config = join(scratch, "numbers.jsonc");
      const paths = [join(build, "plugins"), join(build, "tests", "plugins")];
      const mounts = { "": { driver: "numbers", options: { count } } };
      writeFileSync(config, JSON.stringify({ plugins: { paths }, mounts }));
      const run = async () => {
        const start = process.hrtime.bigint();
        const child = spawn(join(build, "bin", "omnistore"), ["-c", config, "ls"], { stdio: ["ignore", "pipe", "inherit"] });
        let first, peak;
        let lines = 0;
        child.stdout.on("data", (piece) => {
          first ??= Number(process.hrtime.bigint() - start) / 1e6;
          for (const byte of piece) lines += byte === 10;
          if (lines > count * 0.9 && lines < count)
            peak = Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024 || peak;
        });
        await once(child, "close");
        if (lines !== count) throw new Error(`ls gave ${lines} lines of ${count}`);
        return { first, peak };
      };
      const rows = async () => {
        const runs = [];
        for (let round = 0; round < rounds; ++round) runs.push(await run());
        const middle = (field) => runs.map((each) => each[field]).sort((a, b) => a - b)[runs.length >> 1];
        return [
          { name: `${name}-first`, unit: "ms", ours: middle("first"), bar: 50, most: true },
          { name: `${name}-memory`, unit: "MiB", ours: middle("peak"), bar: 32, most: true },
        ];
      };
      return [{ name, rows }];
    },
  };
}
