// SPDX-License-Identifier: Apache-2.0
// The peer: the npm package unstorage, as tests/e2e installs it.
import { createRequire } from "node:module";

const require = createRequire(new URL("../e2e/package.json", import.meta.url));

export const { createStorage } = require("unstorage");
export const { createStorageServer } = require("unstorage/server");
export const memory = require("unstorage/drivers/memory");
export const fs = require("unstorage/drivers/fs");
export const overlay = require("unstorage/drivers/overlay");
