// SPDX-License-Identifier: Apache-2.0
// unstorage's http driver, unchanged, against our host. If unstorage's memory driver can give the expected result, it
// does.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { createStorage, prefixStorage, restoreSnapshot, snapshot } from "unstorage";
import http from "unstorage/drivers/http";
import { roots, serve, tiers } from "./host.mjs";
import { startRedis } from "./redis.mjs";

const connect = (base) => createStorage({ driver: http({ base }) });
const sorted = (keys) => [...keys].sort();
const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);

const oddKeys = [
  "ünï:çødé:日本語:🎉:e\u0301:\u00e9",
  "spaces in: front and behind :of a segment",
  "100%:%41:%2F:%2e%2e:%",
  "dots.in.names:.hidden:..twice:...:trailing.",
  "plus+and&equals=:#hash:semi;colon:comma,:at@:tilde~",
  "quotes'\"`:<angle>:{curly}:[square]:|^:!()",
  "glob*:a[b-c]*",
  "dollar$:$front:inside$of",
  "tab\there:line\nbreak:\u007f",
  "-dash:--double:con:nul",
  `long:${"x".repeat(255)}`,
  `very:${Array.from({ length: 15 }, (_, i) => String(i).repeat(120)).join(":")}`,
];

const redis = await startRedis();
after(() => redis.stop());

for (const [name, root] of Object.entries({ ...roots, ...tiers(redis.url) })) {
  describe(`unstorage's http driver over ${name}`, () => {
    let host;
    let storage;
    before(async () => {
      host = await serve({ "": root });
      storage = connect(host.url);
    });
    after(() => host?.stop());
    beforeEach(() => storage.clear());

    it("gives back the text that was set", async () => {
      await storage.setItem("greeting", "hello, world");
      assert.equal(await storage.getItem("greeting"), "hello, world");
      await storage.setItem("greeting", "another");
      assert.equal(await storage.getItem("greeting"), "another");
    });

    it("gives null for a key that was never set, and says that it is not there", async () => {
      assert.equal(await storage.getItem("nothing"), null);
      assert.equal(await storage.hasItem("nothing"), false);
    });

    it("has what was set", async () => {
      await storage.setItem("here", "yes");
      assert.equal(await storage.hasItem("here"), true);
    });

    it("keeps types as unstorage's memory driver does", async () => {
      const judge = createStorage();
      const values = {
        integer: 42,
        negative: -1.5e-7,
        zero: 0,
        huge: 12345678901234567890n,
        yes: true,
        no: false,
        null: null,
        object: { a: 1, nested: { list: [1, "two", null, { three: 3 }] }, text: "ü ☃" },
        emptyObject: {},
        list: [1, 2, 3],
        emptyList: [],
        date: new Date(0),
        text: "plain",
        numberText: "42",
        jsonText: '{ "spaced" :  1 }',
        quoted: '"in quotes"',
        broken: '{"not": json',
        lines: "one\r\ntwo\n",
        unicode: "\u2028 \ufeff 日本 🎉",
      };
      for (const [key, value] of Object.entries(values)) {
        await judge.setItem(key, value);
        await storage.setItem(key, value);
        assert.deepEqual(await storage.getItem(key), await judge.getItem(key), key);
        assert.equal(await storage.hasItem(key), true, key);
      }
    });

    it("gives back JSON text byte for byte", async () => {
      const text = '{ "b" : 1.0,\n  "a":[ ]}';
      await storage.setItem("json", text);
      assert.equal(Buffer.from(await storage.getItemRaw("json")).toString(), text);
    });

    it("removes what is set to undefined", async () => {
      await storage.setItem("there", "yes");
      await storage.setItem("there", undefined);
      assert.equal(await storage.hasItem("there"), false);
    });

    it("keeps an empty text", async () => {
      await storage.setItem("empty", "");
      assert.equal(await storage.hasItem("empty"), true);
      assert.equal(await storage.getItem("empty"), "");
      assert.deepEqual(await storage.getKeys(), ["empty"]);
    });

    it("keeps empty bytes", async () => {
      await storage.setItemRaw("empty", new Uint8Array());
      assert.equal(await storage.hasItem("empty"), true);
      assert.equal((await storage.getItemRaw("empty")).byteLength, 0);
    });

    it("replaces a value by an empty one", async () => {
      await storage.setItem("key", "something");
      await storage.setItem("key", "");
      assert.equal(await storage.getItem("key"), "");
    });

    it("gives back every byte there is, raw", async () => {
      await storage.setItemRaw("bytes", everyByte);
      assert.deepEqual(new Uint8Array(await storage.getItemRaw("bytes")), everyByte);
    });

    it("gives back a MiB of random bytes, raw", async () => {
      const bytes = randomBytes(1024 * 1024);
      await storage.setItemRaw("large", bytes);
      assert.ok(Buffer.from(await storage.getItemRaw("large")).equals(bytes));
    });

    it("gives back a long text", async () => {
      const text = "ünï ".repeat(100_000);
      await storage.setItem("long", text);
      assert.equal(await storage.getItem("long"), text);
    });

    it("takes a stream, which comes in chunks of no known number", async () => {
      const pieces = Array.from({ length: 20 }, () => randomBytes(10_000));
      const stream = new ReadableStream({
        start(controller) {
          for (const piece of pieces) controller.enqueue(piece);
          controller.close();
        },
      });
      await storage.setItemRaw("stream", stream);
      assert.ok(Buffer.from(await storage.getItemRaw("stream")).equals(Buffer.concat(pieces)));
    });

    const tellsTimes = name !== "redis"; // a Redis server keeps no time of writing
    it("knows when a value was set", { skip: !tellsTimes }, async () => {
      const earlier = Date.now();
      await storage.setItem("key", "value");
      const { mtime, ttl } = await storage.getMeta("key");
      assert.ok(mtime instanceof Date);
      assert.ok(mtime.getTime() >= earlier - 1000 && mtime.getTime() <= Date.now(), String(mtime)); // whole seconds
      assert.equal(ttl, undefined);
    });

    it("refuses the meta of a key that is not there with 404", async () => {
      await assert.rejects(storage.getMeta("nothing"), (error) => error.status === 404);
    });

    it("keeps the user's own meta beside the value and out of the listing", async () => {
      await storage.setItem("page", "text");
      await storage.setMeta("page", { tags: ["a", "b"], atime: new Date(1_700_000_000_000) });
      const meta = await storage.getMeta("page");
      assert.deepEqual(meta.tags, ["a", "b"]);
      assert.deepEqual(meta.atime, new Date(1_700_000_000_000));
      assert.equal(meta.mtime instanceof Date, tellsTimes);
      assert.deepEqual(await storage.getKeys(), ["page"]);
      assert.equal(await storage.getItem("page"), "text");
    });

    it("takes the user's own meta away again", async () => {
      await storage.setItem("page", "text");
      await storage.setMeta("page", { tags: ["a"] });
      await storage.removeMeta("page");
      assert.equal((await storage.getMeta("page")).tags, undefined);
      assert.equal(await storage.getItem("page"), "text");
    });

    it("removes a value with its meta", async () => {
      await storage.setItem("page", "text");
      await storage.setMeta("page", { tags: ["a"] });
      await storage.removeItem("page", { removeMeta: true });
      await storage.setItem("page", "again");
      assert.equal((await storage.getMeta("page")).tags, undefined);
    });

    it("removes a key, and takes the removal of one that is not there for done", async () => {
      await storage.setItem("key", "value");
      await storage.setItem("key:below", "stays");
      await storage.removeItem("key");
      assert.equal(await storage.getItem("key"), null);
      assert.equal(await storage.getItem("key:below"), "stays");
      await storage.removeItem("key");
    });

    it("lists under every base and depth what unstorage's memory driver lists", async () => {
      const judge = createStorage();
      const keys = ["top", "a", "a:b", "a:b:c", "a:b:c:d", "ab", "ab:c", "b:a", "a:c.txt", "z:y:x:w:v"];
      for (const key of keys) {
        await storage.setItem(key, key);
        await judge.setItem(key, key);
      }
      for (const base of ["", "a", "a:", "a:b", "a/b/", "ab", "z:y", "nothing"])
        for (const maxDepth of [undefined, 0, 1, 2, 3])
          assert.deepEqual(
            sorted(await storage.getKeys(base, { maxDepth })),
            sorted(await judge.getKeys(base, { maxDepth })),
            `base ${base} depth ${maxDepth}`,
          );
    });

    it("lists no more than the requested base by itself, which the client would filter out", async () => {
      for (const key of ["a", "a:b", "a:c:d", "ab:c", "b:a"]) await storage.setItem(key, key);
      assert.deepEqual(sorted(await http({ base: host.url }).getKeys("a")), ["a/b", "a/c/d"]);
      assert.deepEqual(await http({ base: `${host.url}/a` }).getKeys("c"), ["a/c/d"]);
    });

    it("lists nothing if there are no keys", async () => {
      assert.deepEqual(await storage.getKeys(), []);
      assert.deepEqual(await storage.getKeys("some:base"), []);
    });

    it("lists three thousand keys whole", async () => {
      const keys = Array.from({ length: 3000 }, (_, i) => `many:${i % 7}:${i}`);
      for (let i = 0; i < keys.length; i += 100)
        await storage.setItems(keys.slice(i, i + 100).map((key) => ({ key, value: key })));
      assert.deepEqual(sorted(await storage.getKeys("many")), sorted(keys));
    });

    it("holds a key and one below it side by side", async () => {
      await storage.setItem("a:b", "below");
      await storage.setItem("a", "above");
      await storage.setItem("c", "above");
      await storage.setItem("c:d:e", "below");
      for (const [key, value] of Object.entries({ a: "above", "a:b": "below", c: "above", "c:d:e": "below" }))
        assert.equal(await storage.getItem(key), value);
      assert.deepEqual(sorted(await storage.getKeys()), ["a", "a:b", "c", "c:d:e"]);
    });

    it("returns a batch in the order of the request, with null for absent keys", async () => {
      await storage.setItems([
        { key: "x", value: 1 },
        { key: "y:z", value: { two: 2 } },
        { key: "w", value: "three" },
      ]);
      assert.deepEqual(await storage.getItems(["w", "nothing", "x", { key: "y/z" }]), [
        { key: "w", value: "three" },
        { key: "nothing", value: null },
        { key: "x", value: 1 },
        { key: "y:z", value: { two: 2 } },
      ]);
    });

    it("clears everything", async () => {
      await storage.setItems(["a", "a:b", "c:d"].map((key) => ({ key, value: key })));
      await storage.setMeta("a", { mine: 1 });
      await storage.clear();
      assert.deepEqual(await storage.getKeys(), []);
      assert.equal(await storage.getItem("a:b"), null);
      await storage.setItem("a", "again");
      assert.equal((await storage.getMeta("a")).mine, undefined);
    });

    it("clears a base and nothing beside it", async () => {
      await storage.setItems(["a", "a:b", "a:c:d", "ab:c", "b:a"].map((key) => ({ key, value: key })));
      await http({ base: host.url }).clear("a");
      assert.deepEqual(sorted(await storage.getKeys()), ["a", "ab:c", "b:a"]);
    });

    it("is one base of the host if the client's address has a path", async () => {
      const below = connect(`${host.url}/base/below`);
      await below.setItem("key", "value");
      await storage.setItem("base:beside", "stays");
      assert.equal(await storage.getItem("base:below:key"), "value");
      assert.equal(await below.getItem("key"), "value");
      assert.equal(await below.hasItem("beside"), false);
      await below.clear();
      assert.deepEqual(await storage.getKeys(), ["base:beside"]);
    });

    it("is a part of the client's storage if it is mounted under a base there", async () => {
      const mixed = createStorage().mount("remote", http({ base: host.url }));
      await mixed.setItem("local", "here");
      await mixed.setItem("remote:a:b", "there");
      assert.equal(await storage.getItem("a:b"), "there");
      assert.deepEqual(sorted(await mixed.getKeys()), ["local", "remote:a:b"]);
      assert.deepEqual(await mixed.getKeys("remote:a"), ["remote:a:b"]);
      assert.deepEqual(await mixed.getItems(["local", "remote:a:b"]), [
        { key: "local", value: "here" },
        { key: "remote:a:b", value: "there" },
      ]);
      await mixed.clear("remote");
      assert.deepEqual(await mixed.getKeys(), ["local"]);
    });

    it("takes a prefixed storage, and a snapshot there and back", async () => {
      const prefixed = prefixStorage(storage, "app:v1");
      await prefixed.setItem("a:b", { one: 1 });
      await prefixed.setItem("c", "text");
      assert.deepEqual(sorted(await storage.getKeys()), ["app:v1:a:b", "app:v1:c"]);
      const taken = await snapshot(storage, "app:v1");
      await storage.clear();
      await restoreSnapshot(storage, taken, "restored");
      assert.deepEqual(await storage.getItem("restored:a:b"), { one: 1 });
      assert.equal(await storage.getItem("restored:c"), "text");
    });

    it("reports the seconds that a value has left", async () => {
      await storage.setItem("key", "value", { ttl: 100 });
      const { ttl } = await storage.getMeta("key");
      assert.ok(ttl > 90 && ttl <= 100, String(ttl));
      await storage.setItem("key", "value");
      assert.equal((await storage.getMeta("key")).ttl, undefined);
    });

    it("gives a value of which the time is over to nobody", async () => {
      await storage.setItem("short", "value", { ttl: 1 });
      await storage.setItemRaw("raw", everyByte, { ttl: 1 });
      await storage.setItem("long", "value", { ttl: 100 });
      assert.equal(await storage.getItem("short"), "value");
      const end = Date.now() + 10_000;
      while ((await storage.hasItem("short")) || (await storage.hasItem("raw")))
        assert.ok(Date.now() < end, "it is still there after ten seconds");
      assert.equal(await storage.getItem("short"), null);
      assert.deepEqual(await storage.getKeys(), ["long"]);
    });

    it("takes odd keys as they are, apart from one another", async () => {
      for (const key of oddKeys) await storage.setItem(key, `value of ${key}`);
      for (const key of oddKeys) {
        assert.equal(await storage.hasItem(key), true, key);
        assert.equal(await storage.getItem(key), `value of ${key}`, key);
      }
      assert.deepEqual(sorted(await storage.getKeys()), sorted(oddKeys));
      for (const key of oddKeys) await storage.removeItem(key);
      assert.deepEqual(await storage.getKeys(), []);
    });

    const unfit = { "a lone '$' for a part": "a:$:b", "a part of 256 bytes": "y".repeat(256) };
    for (const [what, key] of Object.entries(unfit))
      it(`takes a key with ${what}, or refuses it if the store has no room for it`, async () => {
        if (name === "fs") {
          await assert.rejects(storage.setItem(key, "value"), ({ status }) => status === 400 || status === 413);
          assert.deepEqual(await storage.getKeys(), []);
        } else {
          await storage.setItem(key, "value");
          assert.equal(await storage.getItem(key), "value");
          assert.deepEqual(await storage.getKeys(), [key]);
        }
      });

    it("lists under an odd base", async () => {
      await storage.setItem("ü %41:日本:a*", "value");
      await storage.setItem("ü A:日本:a*", "another");
      assert.deepEqual(await storage.getKeys("ü %41"), ["ü %41:日本:a*"]);
      assert.deepEqual(await storage.getKeys("ü %41:日本"), ["ü %41:日本:a*"]);
    });

    it("takes '/', '\\', doubled ':' and a query for what unstorage takes them for", async () => {
      await storage.setItem("/a\\b//c:::d:?query", "value");
      assert.deepEqual(await storage.getKeys(), ["a:b:c:d"]);
      assert.equal(await storage.getItem("a/b/c/d"), "value");
    });

    it("heeds the headers of one call", async () => {
      const absent = { headers: { "if-none-match": "*" } };
      if (name === "overlay") {
        // Others may put a key into the files below memory, and those cannot decide a write that does not go there.
        return assert.rejects(storage.setItem("once", "first", absent), (error) => error.status === 501);
      }
      await storage.setItem("once", "first", absent);
      await assert.rejects(storage.setItem("once", "second", absent), (error) => error.status === 412);
      assert.equal(await storage.getItem("once"), "first");
    });

    it("serves two hundred calls at once", async () => {
      const keys = Array.from({ length: 200 }, (_, i) => `at:once:${i}`);
      await Promise.all(keys.map((key) => storage.setItem(key, key)));
      assert.deepEqual(await Promise.all(keys.map((key) => storage.getItem(key))), keys);
    });
  });
}

describe("unstorage's http driver over a host with several mounts", () => {
  let host;
  let storage;
  before(async () => {
    host = await serve({
      "": roots.memory,
      local: roots.fs,
      "local:fast": roots.memory,
      fixed: { driver: "memory", readOnly: true },
    });
    storage = connect(host.url);
  });
  after(() => host?.stop());

  it("lists, reads and clears over all of them as one", async () => {
    const keys = ["root", "local:file", "local:fast:item", "localised"];
    await storage.setItems(keys.map((key) => ({ key, value: key })));
    assert.deepEqual(sorted(await storage.getKeys()), sorted(keys));
    assert.deepEqual(sorted(await storage.getKeys("local")), ["local:fast:item", "local:file"]);
    assert.deepEqual(
      (await storage.getItems(keys)).map(({ value }) => value),
      keys,
    );
    await http({ base: host.url }).clear("local");
    assert.deepEqual(sorted(await storage.getKeys()), ["localised", "root"]);
  });

  it("says no to a write on a mount that takes none", async () => {
    await assert.rejects(storage.setItem("fixed:key", "value"), (error) => error.status === 405);
    assert.equal(await storage.hasItem("fixed:key"), false);
  });
});
