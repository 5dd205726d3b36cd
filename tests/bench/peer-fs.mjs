// SPDX-License-Identifier: Apache-2.0
// node peer-fs.mjs FOLDER KEYS: unstorage's fs driver on the files of fs.cpp, which have to be there.
import { join } from "node:path";
import { createStorage, fs } from "./unstorage.mjs";
import { key, repeat, require, ring, serve, shuffled, value } from "./worker.mjs";

const [, , folder, count_] = process.argv;
const count = Number(count_);
const keys = shuffled(Array.from({ length: count }, (_, i) => key(i)));
const values = Array.from({ length: 64 }, (_, i) => value(1024, i));
const at = ring(count);
const turn = ring(values.length);
const some = () => values[turn()];
const storage = createStorage({ driver: fs({ base: join(folder, "data") }) });
const fresh = createStorage({ driver: fs({ base: join(folder, "new-unstorage") }) });
let number = 0;

await serve({
  get: (seconds) =>
    repeat(seconds, 16, 1, async () => require((await storage.getItem(keys[at()])).length === 1024, "a miss")),
  // It writes in place: neither atomic nor comparable in durability, but it is what its users have.
  "set-over": (seconds) => repeat(seconds, 16, 1, () => storage.setItem(keys[at()], some())),
  "set-new": (seconds) => repeat(seconds, 16, 1, () => fresh.setItem(key(number++, "n"), some())),
  "batch-get": (seconds) =>
    repeat(seconds, 1, 100, async () => {
      const found = await storage.getItems(Array.from({ length: 100 }, () => keys[at()]));
      for (const item of found) require(item.value.length === 1024, "a miss");
    }),
  "batch-set": (seconds) =>
    repeat(seconds, 1, 100, () =>
      storage.setItems(Array.from({ length: 100 }, () => ({ key: keys[at()], value: some() }))),
    ),
  list: (seconds) =>
    repeat(seconds, 1, count, async () => require((await storage.getKeys()).length === count, "keys are missing")),
});
