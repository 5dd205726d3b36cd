// SPDX-License-Identifier: Apache-2.0
// The page over https: with the host's own TLS, and with that of a real nginx, which serves the page below a path.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { freePort } from "../e2e/free_port.mjs";
import { omnistore, serve } from "../e2e/host.mjs";
import { seed, useBrowser } from "./browser.mjs";

const open = useBrowser();
const tokens = { admin: [{ value: "owner", write: true }] };

/** Makes a key and a certificate for 127.0.0.1 in a folder. */
function certify(folder) {
  const tls = { certificate: join(folder, "host.pem"), key: join(folder, "host.key") };
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tls.key, "-out", tls.certificate], { stdio: "pipe" });
  return tls;
}

/** Starts an nginx that passes https://127.0.0.1:PORT/ops/store/ on to a host's admin listener, as host/README.md shows. */
async function startNginx(folder, tls, admin) {
  const block = /```nginx\n([^]*?)```/.exec(readFileSync(new URL("../../host/README.md", import.meta.url), "utf8"))[1];
  for (let tries = 0; ; ++tries) { // another program may be faster to take the port
    const port = await freePort();
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${folder}/${each};`);
    writeFileSync(join(folder, "nginx.conf"), `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr warn;
      events {} http { access_log off; ${paths.join(" ")}
      ${block.replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`).replace("/etc/omnistore/host.pem", tls.certificate)
    .replace("/etc/omnistore/host.key", tls.key).replace("http://127.0.0.1:7701/", `${admin}/`)} }`);
    const child = spawn("/usr/sbin/nginx", ["-e", "stderr", "-c", join(folder, "nginx.conf")], { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
    const ended = once(child, "close");
    const url = `https://127.0.0.1:${port}/ops/store`;
    const up = async () => {
      for (let i = 0; i < 1000 && child.exitCode === null; ++i) {
        const tried = await omnistore(["--admin-url", url, "--ca", tls.certificate, "--token", "owner", "login"]);
        if (tried.code === 0) return true;
      }
      return false;
    };
    const stop = () => child.kill("SIGKILL") && ended;
    if (await up()) return { url, stop };
    await stop();
    if (tries === 2) throw new Error(`nginx does not start: ${log}`);
  }
}

for (const [where, behindNginx] of [["of the host itself", false], ["of an nginx before it, below a path", true]]) {
  describe(`the page with the TLS ${where}`, () => {
    let folder, tls, host, proxy, admin, page;
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "omnistore-https-"));
      tls = certify(folder);
      host = await serve({ "": { driver: "memory" } }, { tokens, tls: behindNginx ? undefined : tls });
      if (behindNginx) proxy = await startNginx(folder, tls, host.admin);
      admin = proxy?.url ?? host.admin;
    });
    after(async () => {
      await proxy?.stop();
      await host.stop();
      rmSync(folder, { recursive: true });
    });
    const toast = (text) => page.locator("#toasts").getByText(text).waitFor();

    /** Logs a browser in by a link of the command, through whatever is before the host. */
    const logIn = async () => {
      const login = await omnistore(["--admin-url", admin, "--ca", tls.certificate, "--token", "owner", "login"]);
      const link = login.stdout.toString().trim();
      assert.ok(link.startsWith(`${admin}/#code=`), link + login.stderr);
      page = await open(link, { ignoreHTTPSErrors: true });
      await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
    };
    const go = (view) => page.goto(`${admin}/#/${view}`);

    it("logs a browser in by a link, with a cookie that never leaves TLS", async () => {
      await logIn();
      assert.ok(!page.url().includes("code"));
      assert.equal(await page.evaluate(() => globalThis.isSecureContext), true);
      const [cookie, ...others] = await page.context().cookies();
      assert.equal(others.length, 0);
      assert.equal(cookie.secure, true);
      assert.equal(cookie.httpOnly, true);
      assert.equal(cookie.path, behindNginx ? "/ops/store" : "/");
      await page.reload();
      await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByLabel("Token").waitFor();
      assert.equal((await page.context().cookies()).length, 0);
      await page.done();
    });

    it("gets events as they come", async () => {
      await logIn();
      await go("events");
      await page.getByRole("status").filter({ hasText: "live" }).waitFor();
      await seed(host, { "live/1": "v" });
      await page.getByRole("row").filter({ hasText: "live/1" }).waitFor();
      await seed(host, { "live/2": "v" });
      await page.getByRole("row").filter({ hasText: "live/2" }).waitFor();
      await page.done();
    });

    it("edits with If-Match, and shows a conflict", async () => {
      await seed(host, { "edit/k": "first" });
      await logIn();
      await go("keys/edit/k");
      await page.getByRole("button", { name: "Edit" }).click();
      await page.getByLabel("Value").fill("second");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByLabel("Value as text").getByText("second").waitFor();
      await page.getByRole("button", { name: "Edit" }).click();
      await seed(host, { "edit/k": "theirs" });
      await page.getByLabel("Value").fill("mine");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("alert").filter({ hasText: "Somebody changed this key" }).waitFor();
      assert.equal(await (await fetch(`${host.url}/edit/k`)).text(), "theirs");
      await page.done();
    });

    it("uploads and downloads byte for byte", async () => {
      const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 8)) % 256));
      const file = join(folder, "upload.bin");
      writeFileSync(file, bytes);
      await logIn();
      await go("keys/files/");
      await page.getByLabel("Files to upload").setInputFiles(file);
      await toast("Uploaded files/upload.bin");
      assert.ok(Buffer.from(await (await fetch(`${host.url}/files/upload.bin`)).arrayBuffer()).equals(bytes));
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
      assert.equal(download.suggestedFilename(), "upload.bin");
      assert.ok(readFileSync(await download.path()).equals(bytes));
      await page.done();
    });
  });
}
