// SPDX-License-Identifier: Apache-2.0
// The time from the start of `omnistore serve` with the default config to its first response, and its memory when idle.
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

async function redis({ scratch }) {
  const port = await freePort();
  return [port, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", scratch];
}

function median(figures) {
  return [...figures].sort((a, b) => a - b)[figures.length >> 1];
}

export function startGroup(name) {
  return {
    names: [name],
    async open(context) {
      const measure = async ([port, ...command], path = "/:") =>
        JSON.parse(
          await output(context.scratch, join(context.build, "bench", "bench_start"), port, path, ...command),
        );
      const rows = async () => {
        const figures = { ours: [], unstorage: [], redis: [] };
        for (let round = 0; round < context.rounds; ++round) {
          figures.ours.push(await measure(await ours(context)));
          figures.unstorage.push(await measure(await unstorage()));
          figures.redis.push(await measure(await redis(context), "PING"));
        }
        const row = (what, unit, field, scale, bar, peer = "unstorage") => {
          const [mine, theirs] = ["ours", peer].map(
            (side) => median(figures[side].map((figure) => figure[field])) / scale,
          );
          const compared = { peer, theirs, ratio: mine / theirs };
          return { name: `${name}-${what}`, unit, ours: mine, ...compared, bar, most: true };
        };
        return [
          row("answer", "ms", "milliseconds", 1, 15),
          row("beside-redis", "ms", "milliseconds", 1, undefined, "redis"),
          row("processor", "ms", "processor", 1),
          row("rss", "MiB", "rss", 1024, 20),
          row("pss", "MiB", "pss", 1024, 20),
        ];
      };
      return [{ name, rows }];
    },
  };
}
