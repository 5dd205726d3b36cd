// SPDX-License-Identifier: Apache-2.0
// One bucket and two writers: unstorage's s3 driver and ours read what the other wrote.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { createStorage } from "unstorage";
import http from "unstorage/drivers/http";
import s3 from "unstorage/drivers/s3";
import { serve } from "./host.mjs";
import { startRadosgw } from "./radosgw.mjs";

const sorted = (keys) => [...keys].sort();
const bytesOf = async (storage, key) => Buffer.from(await storage.getItemRaw(key));

// unstorage's listing does not undo XML's escapes, so no key has an '&' or a '<'.
const values = {
  text: Buffer.from("plain text\n"),
  "bytes:all": Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  "bytes:large": randomBytes(300_000),
  "deeply:nested:key:of:many:parts": Buffer.from("deep"),
  "ünï:çødé:日本語": Buffer.from("unicode"),
  "with space:more.txt": Buffer.from("space"),
  "dollar:$x": Buffer.from("dollar"),
  "a-b_c.d~e": Buffer.from("plain"),
};

describe("a bucket that unstorage's s3 driver and ours share", () => {
  let server;
  let host;
  let ours;
  let theirs;
  before(async () => {
    server = await startRadosgw();
    host = await serve({ "": { driver: "s3", options: server.options } });
    ours = createStorage({ driver: http({ base: host.url }) });
    theirs = createStorage({ driver: s3(server.options) });
  });
  after(async () => {
    await host?.stop();
    await server?.stop();
  });
  beforeEach(() => ours.clear());

  it("is read by ours as theirs wrote it", async () => {
    for (const [key, value] of Object.entries(values)) await theirs.setItemRaw(key, value);
    assert.deepEqual(sorted(await ours.getKeys()), sorted(Object.keys(values)));
    for (const [key, value] of Object.entries(values)) assert.ok((await bytesOf(ours, key)).equals(value), key);
  });

  it("is read by theirs as ours wrote it", async () => {
    for (const [key, value] of Object.entries(values)) await ours.setItemRaw(key, value);
    assert.deepEqual(sorted(await theirs.getKeys()), sorted(Object.keys(values)));
    for (const [key, value] of Object.entries(values)) assert.ok((await bytesOf(theirs, key)).equals(value), key);
  });

  it("gives ours the user meta that theirs wrote", async () => {
    await theirs.setItem("note", "value");
    await theirs.setMeta("note", { owner: "Zoë" });
    assert.equal((await ours.getMeta("note")).owner, "Zoë");
  });

  it("loses for ours what theirs removes", async () => {
    await ours.setItem("a:b", "value");
    await theirs.removeItem("a:b");
    assert.equal(await ours.hasItem("a:b"), false);
  });
});
