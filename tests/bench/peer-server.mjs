// SPDX-License-Identifier: Apache-2.0
// node peer-server.mjs PORT: unstorage's own HTTP server over its memory driver.
import { createServer } from "node:http";
import { createStorage, createStorageServer, memory } from "./unstorage.mjs";

createServer(createStorageServer(createStorage({ driver: memory() })).handle).listen(
  Number(process.argv[2]),
  "127.0.0.1",
);
