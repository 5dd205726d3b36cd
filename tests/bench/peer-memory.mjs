// SPDX-License-Identifier: Apache-2.0
// node peer-memory.mjs KEYS: unstorage's memory driver, the same work as memory.cpp.
import { createStorage, memory } from "./unstorage.mjs";
import { key, nothing, repeat, require, ring, serve, shuffled, stopwatch, value } from "./worker.mjs";

const count = Number(process.argv[2]);
const keys = shuffled(Array.from({ length: count }, (_, i) => key(i)));
const visited = shuffled(keys, 7);
const values = Array.from({ length: 1024 }, (_, i) => value(100, i));
const at = ring(count);
const turn = ring(values.length);
const some = () => values[turn()];
const storage = createStorage({ driver: memory() });

let hundreds;

async function load(into) {
  for (const item of keys) await into.setItem(item, some());
}

await serve({
  load: () => load(storage),
  get: (seconds) =>
    repeat(seconds, 64, 1, async () => require((await storage.getItem(visited[at()])).length === 100, "a miss")),
  "set-over": (seconds) => repeat(seconds, 64, 1, () => storage.setItem(visited[at()], some())),
  "set-new": async (seconds) => {
    const result = nothing();
    while (result.seconds < seconds) {
      const fresh = createStorage({ driver: memory() });
      const stop = stopwatch();
      await load(fresh);
      stop(result, count);
    }
    return result;
  },
  "batch-get": (seconds) =>
    repeat(seconds, 1, 100, async () => {
      const found = await storage.getItems(Array.from({ length: 100 }, () => visited[at()]));
      for (const item of found) require(item.value.length === 100, "a miss");
    }),
  "batch-set": (seconds) =>
    repeat(seconds, 1, 100, () =>
      storage.setItems(Array.from({ length: 100 }, () => ({ key: visited[at()], value: some() }))),
    ),
  "list-base": async (seconds) => {
    if (!hundreds) {
      hundreds = createStorage({ driver: memory() });
      for (let i = 0; i < count; ++i) await hundreds.setItem(`p${i % 100}:${i}`, "x");
    }
    return repeat(seconds, 1, count / 100, async () =>
      require((await hundreds.getKeys(`p${turn() % 100}`)).length === count / 100, "keys are missing"),
    );
  },
  list: (seconds) =>
    repeat(seconds, 1, count, async () => require((await storage.getKeys()).length === count, "keys are missing")),
});
