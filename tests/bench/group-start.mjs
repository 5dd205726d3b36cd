// SPDX-License-Identifier: Apache-2.0
// From the start of `omnistore serve` with the default config to its first good response, and its memory when idle.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, output } from "./processes.mjs";

/** The default config with its listeners moved to free ports. */
async function ours({ source, build, scratch }) {
  let text = readFileSync(join(source, "config", "default.jsonc"), "utf8");
  let port;
  for (const address of new Set(text.match(/127\.0\.0\.1:\d+/g))) {
    const free = await freePort();
    port ??= free;
    text = text.replaceAll(address, `127.0.0.1:${free}`);
  }
  const config = join(scratch, "default.jsonc");
  writeFileSync(config, text);
  return [port, join(build, "bin", "omnistore"), "-c", config, "serve"];
}

async function unstorage() {
  const port = await freePort();
  return [port, "node", new URL("peer-server.mjs", import.meta.url).pathname, port];
}

function median(figures) {
  return [...figures].sort((a, b) => a - b)[figures.length >> 1];
}

export function startGroup(name) {
  return {
    names: [name],
    async open(context) {
      const measure = async ([port, ...command]) =>
        JSON.parse(
          await output(context.scratch, join(context.build, "bench", "bench_start"), port, "/:", ...command),
        );
      const rows = async () => {
        const figures = { ours: [], unstorage: [] };
        for (let round = 0; round < context.rounds; ++round) {
          figures.ours.push(await measure(await ours(context)));
          figures.unstorage.push(await measure(await unstorage()));
        }
        const row = (what, unit, field, scale, bar) => {
          const [mine, theirs] = ["ours", "unstorage"].map(
            (side) => median(figures[side].map((figure) => figure[field])) / scale,
          );
          const compared = { peer: "unstorage", theirs, ratio: mine / theirs };
          return { name: `${name}-${what}`, unit, ours: mine, ...compared, bar, most: true };
        };
        return [
          row("answer", "ms", "milliseconds", 1, 15),
          row("processor", "ms", "processor", 1),
          row("rss", "MiB", "rss", 1024, 20),
          row("pss", "MiB", "pss", 1024, 20),
        ];
      };
      return [{ name, rows }];
    },
  };
}
