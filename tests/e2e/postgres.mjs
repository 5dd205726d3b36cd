// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server of a suite's own, on a unix socket in its folder.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const versions = "/usr/lib/postgresql";
const nobody = 65534;

/** The folder of its socket, and stop(). Fails if PostgreSQL is not installed or does not start. */
export async function startPostgres() {
  const version = existsSync(versions) && readdirSync(versions).sort().at(-1);
  if (!version) throw new Error("PostgreSQL is not installed (Debian: apt-get install postgresql)");
  const program = (name) => join(versions, version, "bin", name);
  const folder = mkdtempSync(join(tmpdir(), "omnistore-postgres-"));
  const data = join(folder, "data");
  // It refuses to run as root, and ends with this process, however that ends.
  const user = process.getuid() === 0 ? ["--reuid", nobody, "--regid", nobody, "--clear-groups"] : [];
  if (user.length) chownSync(folder, nobody, nobody);
  const options = { cwd: "/", encoding: "utf8" };
  const words = ["-D", data, "-U", "test", "--auth", "trust", "--no-sync", "--encoding", "UTF8"];
  const made = spawnSync("setpriv", [...user, program("initdb"), ...words], options);
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=32MB"];
  const command = [...user, "--pdeathsig", "INT", program("postgres"), "-D", data, "-k", folder, ...settings];
  const child = spawn("setpriv", command, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  let log = "";
  for await (const line of createInterface({ input: child.stderr })) {
    log += `${line}\n`;
    if (line.includes("ready to accept connections")) break;
  }
  if (!log.includes("ready to accept connections")) throw new Error(`PostgreSQL does not start: ${log}`);
  child.stderr.resume();
  const stop = async () => {
    child.kill("SIGINT");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, stop };
}
