// SPDX-License-Identifier: Apache-2.0
// A redis-server of a suite's own, on a free port.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "./free_port.mjs";

/** url, and stop(). Fails if redis-server is not installed or does not start. */
export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), "omnistore-redis-"));
  for (let tries = 1; ; ++tries) {
    const port = await freePort(); // another program may take it before the server does
    // It ends with this process, however that ends.
    const command = ["--pdeathsig", "KILL", "redis-server"];
    const child = spawn("setpriv", [...command, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "close");
    let log = "";
    for await (const line of createInterface({ input: child.stdout })) {
      log += `${line}\n`;
      if (line.includes("Ready to accept connections")) break;
    }
    if (child.exitCode === null && log.includes("Ready to accept")) {
      child.stdout.resume();
      const stop = async () => {
        child.kill("SIGKILL");
        await ended;
        rmSync(folder, { recursive: true, force: true });
      };
      return { url: `redis://127.0.0.1:${port}`, stop };
    }
    if (tries === 5) throw new Error(`redis-server does not come up: ${log}`);
  }
}
