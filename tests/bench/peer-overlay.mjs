// SPDX-License-Identifier: Apache-2.0
// node peer-overlay.mjs FOLDER KEYS: unstorage's overlay of memory over the files that overlay.cpp wrote.
import { createStorage, fs, memory, overlay } from "./unstorage.mjs";
import { key, repeat, require, ring, serve, shuffled, value } from "./worker.mjs";

const count = Number(process.argv[3]);
const keys = shuffled(Array.from({ length: count }, (_, i) => key(i)));
const upper = keys.slice(0, count / 2);
const lower = keys.slice(count / 2);
const at = ring(count / 2);
const layers = [memory(), fs({ base: process.argv[2] })];
const storage = createStorage({ driver: overlay({ layers }) });
const get = async (from) => require((await storage.getItem(from[at()])).length === 1024, "a miss");

await serve({
  load: async () => {
    for (const [i, item] of upper.entries()) await storage.setItem(item, value(1024, i));
  },
  hit: (seconds) => repeat(seconds, 64, 1, () => get(upper)),
  fall: (seconds) => repeat(seconds, 8, 1, () => get(lower)),
  list: (seconds) =>
    repeat(seconds, 1, count, async () => require((await storage.getKeys("k")).length === count, "keys are missing")),
});
