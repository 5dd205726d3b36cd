// SPDX-License-Identifier: Apache-2.0
// One table of a database, and two writers: unstorage's db0 driver and ours read what the other wrote.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createDatabase } from "db0";
import libsql from "db0/connectors/libsql/node";
import postgresql from "db0/connectors/postgresql";
import { createStorage } from "unstorage";
import db0 from "unstorage/drivers/db0";
import http from "unstorage/drivers/http";
import { serve } from "./host.mjs";
import { startPostgres } from "./postgres.mjs";

const sorted = (keys) => [...keys].sort();
const texts = {
  text: "plain text\n",
  "a:json": '{"a": [1, 2.50, "ü"]}',
  "deeply:nested:key:of:many:parts": "deep",
  "ünï:çødé:日本語": "unicode",
  "with space: and more.txt": "space",
};
const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

/** `open` gives the mount of the host, and the connector of db0 once the host is there. */
function suite(name, open) {
  describe(`a table in ${name} that unstorage's db0 driver and ours share`, () => {
    let backend;
    let host;
    let ours;
    let database;
    let theirs;
    before(async () => {
      backend = await open();
      host = await serve({ "": backend.mount });
      ours = createStorage({ driver: http({ base: host.url }) });
      database = createDatabase(backend.connector(host.folder));
      theirs = createStorage({ driver: db0({ database }) });
    });
    after(async () => {
      await database?.dispose();
      await host?.stop();
      await backend?.stop?.();
    });
    beforeEach(() => ours.clear());

    it("is read by ours as theirs wrote it", async () => {
      for (const [key, value] of Object.entries(texts)) await theirs.setItem(key, value);
      await theirs.setItemRaw("raw", bytes);
      assert.deepEqual(sorted(await ours.getKeys()), sorted([...Object.keys(texts), "raw"]));
      for (const [key, value] of Object.entries(texts))
        assert.equal(Buffer.from(await ours.getItemRaw(key)).toString(), value, key);
      assert.ok(Buffer.from(await ours.getItemRaw("raw")).equals(bytes));
    });

    it("is read by theirs as ours wrote it", async () => {
      for (const [key, value] of Object.entries(texts)) await ours.setItemRaw(key, value);
      await ours.setItemRaw("raw", bytes);
      assert.deepEqual(sorted(await theirs.getKeys()), sorted([...Object.keys(texts), "raw"]));
      for (const [key, value] of Object.entries(texts))
        assert.deepEqual(await theirs.getItem(key), key === "a:json" ? JSON.parse(value) : value, key);
      assert.ok(Buffer.from(await theirs.getItemRaw("raw")).equals(bytes));
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
    });

    it("gives both the same time of writing", async () => {
      await theirs.setItem("key", "value");
      const [mine, other] = [await ours.getMeta("key"), await theirs.getMeta("key")];
      assert.equal(mine.mtime.getTime() / 1000, Math.floor(other.mtime.getTime() / 1000 + backend.zone));
    });
  });
}

suite("SQLite", () => ({
  mount: { driver: "sqlite", options: { path: "FOLDER/data.db", layout: "db0" } },
  connector: (folder) => libsql({ url: `file:${folder}/data.db` }),
  zone: -new Date().getTimezoneOffset() * 60, // db0 reads SQLite's UTC as local time
}));

suite("PostgreSQL", async () => {
  const { folder, stop } = await startPostgres();
  return {
    mount: { driver: "postgres", options: { host: folder, user: "test", database: "postgres", layout: "db0" } },
    connector: () => postgresql({ host: folder, user: "test", database: "postgres" }),
    zone: 0,
    stop,
  };
});
