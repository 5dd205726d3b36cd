// SPDX-License-Identifier: Apache-2.0
// Real input: every file of the installed unstorage package, in through one front and out through another.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createStorage } from "unstorage";
import http from "unstorage/drivers/http";
import { omnistore, roots, serve } from "./host.mjs";

const top = fileURLToPath(new URL("node_modules/unstorage", import.meta.url));

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

const files = walk(top).map((path) => ({
  path,
  key: relative(top, path).replaceAll("/", ":"),
  bytes: readFileSync(path),
}));
const every = (n) => files.filter((_, i) => i % n === 0);
const sorted = (keys) => [...keys].sort();

/** Runs work on each item, four at a time. */
async function each(items, work) {
  const left = [...items];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let item = left.shift(); item; item = left.shift()) await work(item);
    }),
  );
}

async function run(parameters) {
  const { code, stdout, stderr } = await omnistore(parameters);
  assert.equal(code, 0, `omnistore ${parameters.join(" ")}: ${stderr}`);
  return stdout;
}

assert.ok(files.length > 150, "the package is not what it was");

for (const [name, root] of Object.entries(roots)) {
  describe(`the files of the unstorage package over ${name}`, () => {
    let host;
    let storage;
    before(async () => {
      host = await serve({ "": root });
      storage = createStorage({ driver: http({ base: host.url }) });
    });
    after(() => host?.stop());
    beforeEach(() => storage.clear());

    const lines = async (...options) => (await run([...options, "ls"])).toString().trim().split("\n");
    const viaHost = () => ["--url", host.url];

    it("go in through HTTP, are listed by the command line, and come out of it equal", async () => {
      await each(files, ({ key, bytes }) => storage.setItemRaw(key, bytes));
      assert.deepEqual(sorted(await lines(...viaHost())), sorted(files.map(({ key }) => key)));
      await each(every(3), async ({ key, bytes }) => {
        assert.ok((await run([...viaHost(), "get", key])).equals(bytes), key);
      });
    });

    it("go in through the command line, are listed by HTTP, and come out of it equal", async () => {
      const some = every(3);
      await each(some, ({ key, path }) => run([...viaHost(), "set", key, "-f", path]));
      assert.deepEqual(sorted(await storage.getKeys()), sorted(some.map(({ key }) => key)));
      await each(some, async ({ key, bytes }) => {
        assert.ok(Buffer.from(await storage.getItemRaw(key)).equals(bytes), key);
      });
    });

    it("come out of HTTP as the text that they are", async () => {
      await each(files, ({ key, bytes }) => storage.setItemRaw(key, bytes));
      await each(files, async ({ key, bytes }) => {
        const answer = await fetch(`${host.url}/${key.replaceAll(":", "/")}`);
        assert.ok((await answer.text()) === bytes.toString(), key);
      });
    });

    if (name === "fs") {
      it("go in through the command line on the config, come out of HTTP equal, and the other way round", async () => {
        const some = every(3);
        await each(some, ({ key, path }) => run(["-c", host.config, "set", key, "-f", path]));
        await each(some, async ({ key, bytes }) => {
          assert.ok(Buffer.from(await storage.getItemRaw(key)).equals(bytes), key);
        });
        await each(files, ({ key, bytes }) => storage.setItemRaw(key, bytes));
        assert.deepEqual(sorted(await lines("-c", host.config)), sorted(files.map(({ key }) => key)));
        await each(some, async ({ key, bytes }) => {
          assert.ok((await run(["-c", host.config, "get", key])).equals(bytes), key);
        });
      });
    }
  });
}
