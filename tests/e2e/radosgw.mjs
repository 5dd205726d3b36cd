// SPDX-License-Identifier: Apache-2.0
// An S3 server of a suite's own: Ceph's radosgw, which tests/support/radosgw starts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../support/radosgw", import.meta.url));

/** The options of a driver, and stop(). Fails if radosgw is not installed or does not start. */
export async function startRadosgw() {
  const folder = mkdtempSync(join(tmpdir(), "omnistore-radosgw-"));
  // It ends with this process, however that ends.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", script, join(folder, "ceph")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for await (const endpoint of createInterface({ input: child.stdout })) {
    const options = { bucket: "bucket", endpoint, region: "us-east-1" };
    return { options: { ...options, accessKeyId: "KEYID", secretAccessKey: "VERYSECRET" }, stop };
  }
  await stop();
  throw new Error("radosgw does not start");
}
