// SPDX-License-Identifier: Apache-2.0
// One redis-server and one pair of folders, two writers: unstorage's redis and overlay drivers and ours read what the
// other wrote.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import Redis from "ioredis";
import { createStorage } from "unstorage";
import fs from "unstorage/drivers/fs";
import http from "unstorage/drivers/http";
import overlay from "unstorage/drivers/overlay";
import redisDriver from "unstorage/drivers/redis";
import { serve } from "./host.mjs";
import { startRedis } from "./redis.mjs";

const sorted = (keys) => [...keys].sort();
const values = {
  text: "plain text\n",
  json: '{"a": [1, 2.50, "ü"]}',
  "deeply:nested:key:of:many:parts": "deep",
  "ünï:çødé:日本語": "unicode",
  "with space: and more.txt": "space",
  "glob*[a]:b^c": "glob",
  "100%:%41": "percent",
  "dollar$:$x": "dollar",
};

for (const base of ["", "app:v1"]) {
  describe(`a redis that unstorage and ours share, ${base ? `below ${base}` : "without a base"}`, () => {
    let redis, raw, host, ours, theirs;
    before(async () => {
      redis = await startRedis();
      raw = new Redis(redis.url);
      host = await serve({ "": { driver: "redis", options: { url: redis.url, base } } });
      ours = createStorage({ driver: http({ base: host.url }) });
      theirs = createStorage({ driver: redisDriver({ url: redis.url, base }) });
    });
    after(async () => {
      raw?.disconnect();
      await theirs?.dispose();
      await host?.stop();
      await redis?.stop();
    });
    beforeEach(() => raw.flushdb());

    it("is read by ours as theirs wrote it", async () => {
      for (const [key, value] of Object.entries(values)) await theirs.setItem(key, value);
      assert.deepEqual(sorted(await ours.getKeys()), sorted(Object.keys(values)));
      assert.deepEqual(sorted(await ours.getKeys()), sorted(await theirs.getKeys()));
      for (const key of Object.keys(values)) assert.deepEqual(await ours.getItem(key), await theirs.getItem(key), key);
    });

    it("is read by theirs as ours wrote it", async () => {
      for (const [key, value] of Object.entries(values)) await ours.setItem(key, value);
      assert.deepEqual(sorted(await theirs.getKeys()), sorted(Object.keys(values)));
      for (const key of Object.keys(values)) assert.deepEqual(await theirs.getItem(key), await ours.getItem(key), key);
    });

    it("holds the same redis keys and bytes, whoever wrote", async () => {
      const bytes = randomBytes(100_000);
      const prefix = base ? `${base}:` : "";
      await ours.setItemRaw("a:b", bytes);
      assert.ok((await raw.getBuffer(`${prefix}a:b`)).equals(bytes));
      await theirs.setItem("c:d", "theirs");
      assert.deepEqual(sorted(await raw.keys("*")), [`${prefix}a:b`, `${prefix}c:d`]);
      assert.equal(await ours.getItem("c:d"), "theirs");
    });

    it("lists the keys under a base alike", async () => {
      for (const key of ["a:1", "a:b:2", "ab:3", "a*:4"]) await theirs.setItem(key, "x");
      for (const under of ["a", "a*", "ab", "none"]) {
        assert.deepEqual(sorted(await ours.getKeys(under)), sorted(await theirs.getKeys(under)), under);
      }
    });

    it("keeps one time to live, whoever set it", async () => {
      const prefix = base ? `${base}:` : "";
      await ours.setItem("ours", "value", { ttl: 1000 });
      await theirs.setItem("theirs", "value", { ttl: 1000 });
      for (const key of ["ours", "theirs"]) {
        const left = await raw.pttl(prefix + key);
        // The end is a moment by the host's clock, from which redis's may differ by some milliseconds.
        assert.ok(left > 900_000 && left <= 1_000_050, `${key}: ${left}`);
        const { ttl } = await ours.getMeta(key);
        assert.ok(ttl > 900 && ttl <= 1001, `${key}: ${ttl}`);
      }
      await theirs.setItem("ours", "for ever");
      assert.equal((await ours.getMeta("ours")).ttl, undefined);
    });

    it("shows to each what the other overwrote, removed or cleared", async () => {
      await ours.setItem("key", "ours");
      await theirs.setItem("key", "theirs");
      assert.equal(await ours.getItem("key"), "theirs");
      await ours.removeItem("key");
      assert.equal(await theirs.hasItem("key"), false);
      await theirs.setItem("a:1", "x");
      await theirs.setItem("b:1", "x");
      await http({ base: host.url }).clear("a");
      assert.deepEqual(await theirs.getKeys(), ["b:1"]);
    });
  });
}

describe("an overlay of two folders that unstorage and ours share", () => {
  let host, ours, theirs;
  before(async () => {
    const layer = (name) => ({ driver: "fs", options: { base: `FOLDER/${name}` } });
    host = await serve({ "": { driver: "overlay", layers: [layer("upper"), layer("lower")] }, below: layer("lower") });
    ours = createStorage({ driver: http({ base: host.url }) });
    const folder = (name) => fs({ base: join(host.folder, name) });
    theirs = createStorage({ driver: overlay({ layers: [folder("upper"), folder("lower")] }) });
  });
  after(() => host?.stop());

  it("is read by ours as theirs wrote it, and the other way round", async () => {
    for (const [key, value] of Object.entries(values)) await theirs.setItem(`theirs:${key}`, value);
    for (const [key, value] of Object.entries(values)) await ours.setItem(`ours:${key}`, value);
    await ours.setItem("below:deep", "in the lower layer");
    await ours.setItem("below:both", "hidden");
    await theirs.setItem("both", "seen");
    const keys = (storage) => storage.getKeys().then((all) => sorted(all.filter((key) => !key.startsWith("below:"))));
    assert.deepEqual(await keys(ours), await keys(theirs));
    for (const key of await theirs.getKeys()) assert.deepEqual(await ours.getItem(key), await theirs.getItem(key), key);
    assert.equal(await ours.getItem("both"), "seen");
    assert.equal(await ours.getItem("deep"), "in the lower layer");
  });

  it("has lost for ours what theirs removed", async () => {
    await ours.setItem("below:gone", "in the lower layer");
    assert.equal(await theirs.getItem("gone"), "in the lower layer");
    await theirs.removeItem("gone");
    assert.equal(await ours.getItem("gone"), null);
    assert.equal(await ours.hasItem("gone"), false);
    assert.ok(!(await ours.getKeys()).includes("gone"));
    await ours.setItem("gone", "back");
    assert.equal(await theirs.getItem("gone"), "back");
  });
});
