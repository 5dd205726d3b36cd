// SPDX-License-Identifier: Apache-2.0
// One folder, or one Redis server, and two writers: unstorage's driver and ours read what the other wrote.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { createStorage } from "unstorage";
import fs from "unstorage/drivers/fs";
import http from "unstorage/drivers/http";
import redisDriver from "unstorage/drivers/redis";
import { omnistore, roots, serve } from "./host.mjs";
import { startRedis } from "./redis.mjs";

const sorted = (keys) => [...keys].sort();
const bytesOf = async (storage, key) => Buffer.from(await storage.getItemRaw(key));

const values = {
  text: Buffer.from("plain text\n"),
  json: Buffer.from('{"a": [1, 2.50, "ü"]}'),
  empty: Buffer.alloc(0),
  "bytes:all": Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  "bytes:large": randomBytes(300_000),
  "deeply:nested:key:of:many:parts": Buffer.from("deep"),
  "ünï:çødé:日本語": Buffer.from("unicode"),
  "e\u0301": Buffer.from("decomposed"),
  "\u00e9": Buffer.from("composed"),
  "with space: and more.txt": Buffer.from("space"),
  "100%:%41": Buffer.from("percent"),
  ".hidden:.file": Buffer.from("dots"),
  "dollar$:$x": Buffer.from("dollar"),
  "odd'\"*[a]{b}<c>|;&#+=@~!": Buffer.from("odd"),
};

describe("a folder that unstorage's fs driver and ours share", () => {
  let host;
  let ours;
  let theirs;
  before(async () => {
    host = await serve({ "": roots.fs });
    ours = createStorage({ driver: http({ base: host.url }) });
    theirs = createStorage({ driver: fs({ base: join(host.folder, "data") }) });
  });
  after(() => host?.stop());
  beforeEach(() => ours.clear());

  it("is read by ours as theirs wrote it", async () => {
    for (const [key, value] of Object.entries(values)) await theirs.setItemRaw(key, value);
    assert.deepEqual(sorted(await ours.getKeys()), sorted(Object.keys(values)));
    assert.deepEqual(sorted(await ours.getKeys()), sorted(await theirs.getKeys()));
    for (const [key, value] of Object.entries(values)) assert.ok((await bytesOf(ours, key)).equals(value), key);
  });

  it("is read by theirs as ours wrote it", async () => {
    for (const [key, value] of Object.entries(values)) await ours.setItemRaw(key, value);
    assert.deepEqual(sorted(await theirs.getKeys()), sorted(Object.keys(values)));
    assert.deepEqual(sorted(await theirs.getKeys()), sorted(await ours.getKeys()));
    for (const [key, value] of Object.entries(values)) assert.ok((await theirs.getItemRaw(key)).equals(value), key);
  });

  it("holds a value of ours in the file that its key names, and no other file", async () => {
    await ours.setItem("a:b", "value");
    const entries = readdirSync(join(host.folder, "data"), { recursive: true, withFileTypes: true });
    assert.deepEqual(
      entries.filter((entry) => entry.isFile()).map((entry) => entry.name),
      ["b"],
    );
    assert.equal(readFileSync(join(host.folder, "data", "a", "b"), "utf8"), "value");
  });

  it("shows types alike", async () => {
    const typed = { number: 1.5, no: false, null: null, object: { a: [1, { b: "ü" }] }, text: "text" };
    for (const [key, value] of Object.entries(typed)) {
      await theirs.setItem(`theirs:${key}`, value);
      await ours.setItem(`ours:${key}`, value);
      assert.deepEqual(await ours.getItem(`theirs:${key}`), value, key);
      assert.deepEqual(await theirs.getItem(`ours:${key}`), value, key);
    }
  });

  it("shows to each what the other overwrote or removed", async () => {
    await ours.setItem("key", "ours");
    await theirs.setItem("key", "theirs");
    assert.equal(await ours.getItem("key"), "theirs");
    await ours.setItem("key", "ours again");
    assert.equal(await theirs.getItem("key"), "ours again");
    await theirs.removeItem("key");
    assert.equal(await ours.hasItem("key"), false);
    await theirs.setItem("key", "theirs");
    await ours.removeItem("key");
    assert.equal(await theirs.hasItem("key"), false);
    assert.deepEqual(await theirs.getKeys(), []);
  });

  it("keeps the user's own meta for both", async () => {
    await theirs.setItem("a", "value");
    await theirs.setMeta("a", { by: "theirs" });
    assert.equal((await ours.getMeta("a")).by, "theirs");
    await ours.setItem("b", "value");
    await ours.setMeta("b", { by: "ours" });
    assert.equal((await theirs.getMeta("b")).by, "ours");
    assert.deepEqual(sorted(await ours.getKeys()), ["a", "b"]);
    assert.deepEqual(sorted(await theirs.getKeys()), ["a", "b"]);
  });

  it("shows both the same time of writing", async () => {
    await ours.setItem("key", "value");
    const [mine, other] = [await ours.getMeta("key"), await theirs.getMeta("key")];
    assert.equal(Math.floor(other.mtime.getTime() / 1000), mine.mtime.getTime() / 1000);
  });

  it("shows to theirs nothing of a time to live but the value", async () => {
    await ours.setItem("a:key", "value", { ttl: 1000 });
    assert.deepEqual(await theirs.getKeys(), ["a:key"]);
    assert.equal(await theirs.getItem("a:key"), "value");
  });

  it("has no keys in node_modules and .git", async () => {
    for (const folder of ["node_modules", ".git", "sub/node_modules"]) {
      mkdirSync(join(host.folder, "data", folder), { recursive: true });
      writeFileSync(join(host.folder, "data", folder, "file"), "not a value");
    }
    await theirs.setItem("key", "value");
    assert.deepEqual(await theirs.getKeys(), ["key"]);
    assert.deepEqual(await ours.getKeys(), ["key"]);
  });

  it("is the same through the command line", async () => {
    for (const [key, value] of Object.entries(values)) await theirs.setItemRaw(key, value);
    const listed = await omnistore(["--json", "-c", host.config, "ls"]);
    const keys = listed.stdout.toString().trim().split("\n").map((line) => JSON.parse(line).key);
    assert.deepEqual(sorted(keys), sorted(Object.keys(values)));
    for (const [key, value] of Object.entries(values)) {
      const { code, stdout } = await omnistore(["-c", host.config, "get", "--", key]);
      assert.equal(code, 0, key);
      assert.ok(stdout.equals(value), key);
    }
  });
});

describe("a Redis server that unstorage's redis driver and ours share", () => {
  let redis;
  let host;
  let ours;
  let theirs;
  before(async () => {
    redis = await startRedis();
    host = await serve({ "": { driver: "redis", options: { url: redis.url, base: "app" } } });
    ours = createStorage({ driver: http({ base: host.url }) });
    theirs = createStorage({ driver: redisDriver({ url: redis.url, base: "app" }) });
  });
  after(async () => {
    await theirs?.dispose();
    await host?.stop();
    await redis?.stop();
  });
  beforeEach(() => ours.clear());

  it("holds user meta that theirs reads as ours wrote it", async () => {
    await ours.setItem("a:b", "value");
    await ours.setMeta("a:b", { role: "admin", n: 1 });
    assert.equal(await theirs.getItem("a:b"), "value");
    assert.deepEqual({ ...(await theirs.getMeta("a:b")) }, { role: "admin", n: 1 });
    assert.deepEqual(await theirs.getKeys(), ["a:b"]);
  });

  it("holds user meta that ours reads as theirs wrote it", async () => {
    await theirs.setItem("a:b", "value");
    await theirs.setMeta("a:b", { role: "admin" });
    assert.equal((await ours.getMeta("a:b")).role, "admin");
    await ours.setMeta("a:b", { role: "guest" });
    await theirs.setMeta("a:b", { role: "owner" });
    assert.equal((await ours.getMeta("a:b")).role, "owner");
    assert.deepEqual(await ours.getKeys(), ["a:b"]);
  });

  it("shows no user meta of a value that theirs has replaced or removed", async () => {
    await ours.setItem("k", "1");
    await ours.setMeta("k", { role: "admin" });
    await theirs.setItem("k", "2");
    assert.equal((await ours.getMeta("k")).role, undefined);
    await theirs.removeItem("k");
    await assert.rejects(ours.getMeta("k"), (error) => error.status === 404);
    await ours.setItem("k", "1");
    assert.deepEqual({ ...(await theirs.getMeta("k")) }, {});
  });
});
