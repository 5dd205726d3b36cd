// SPDX-License-Identifier: Apache-2.0
// The built program, as a server in a folder of its own and as a command line.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = process.env.OMNISTORE_PROGRAM;
if (!program) throw new Error("OMNISTORE_PROGRAM has to name the built omnistore; ctest sets it");

/** Runs the program to its end. stdout is a Buffer. */
export async function omnistore(parameters, input = "") {
  const child = spawn(program, parameters, { stdio: ["pipe", "pipe", "pipe"] });
  const stdout = [];
  const stderr = [];
  child.stdout.on("data", (bytes) => stdout.push(bytes));
  child.stderr.on("data", (bytes) => stderr.push(bytes));
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/** The first line of JSON that serve prints, with its addresses. */
async function announcement(child) {
  const { value, done } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  return done ? undefined : JSON.parse(value);
}

/**
 * Serves mounts from a fresh folder on a free port: url, admin, page, folder, config, and stop(), which fails if the
 * host did not end by itself with 0. "FOLDER" in a mount's options stands for that folder. `tokens` has those of the
 * data listener in `http` and those of the admin listener in `admin`; `log` has fields of the config's log, and `tls`
 * those of the admin listener's TLS.
 */
export async function serve(mounts, { tokens = {}, log: logging = {}, tls } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "omnistore-e2e-"));
  const config = join(folder, "omnistore.jsonc");
  const listen = "127.0.0.1:0";
  const listener = (of) => ({ listen, tokens: tokens[of] });
  const text = JSON.stringify({
    mounts, server: { http: listener("http") }, admin: { ...listener("admin"), tls }, log: { level: "warn", ...logging },
  });
  writeFileSync(config, text.replaceAll("FOLDER", folder));
  const child = spawn(program, ["--json", "-c", config, "serve"], { stdio: ["ignore", "pipe", "pipe"], cwd: folder });
  const ended = once(child, "close");
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const end = async () => {
    const [code, signal] = await ended;
    rmSync(folder, { recursive: true, force: true });
    return code ?? signal;
  };
  const said = await announcement(child);
  if (!said) throw new Error(`serve ended early with ${await end()}: ${log}`);
  const stop = async () => {
    child.kill("SIGTERM");
    const how = await end();
    if (how !== 0) throw new Error(`serve ended with ${how}: ${log}`);
  };
  return { url: said.http, admin: said.admin, page: said.page, folder, config, stop };
}

/** The roots that each suite runs over. */
export const roots = {
  memory: { driver: "memory" },
  fs: { driver: "fs", options: { base: "FOLDER/data" } },
};

/** Those of more than one tier. */
export const tiers = (redisUrl) => ({
  redis: { driver: "redis", options: { url: redisUrl, base: "e2e" } },
  overlay: { driver: "overlay", options: { promote: true }, layers: [roots.memory, roots.fs] },
});
