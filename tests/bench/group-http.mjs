// SPDX-License-Identifier: Apache-2.0
// GET and PUT of 100 bytes over 64 connections from wrk: the server on one core, wrk on the other.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, outputOfLoad, server } from "./processes.mjs";

const count = 10_000;
const size = 100;
const script = new URL("load.lua", import.meta.url).pathname;

/** A key and a certificate that signs itself, for both sides. */
function certify(folder) {
  const [certificate, key] = ["host.pem", "host.key"].map((name) => join(folder, name));
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const made = spawnSync("openssl", [...request, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { certificate, key };
}

async function startOurs({ build, scratch }, tls) {
  const listen = `127.0.0.1:${await freePort()}`;
  const config = join(scratch, tls ? "https.jsonc" : "http.jsonc");
  const admin = `127.0.0.1:${await freePort()}`;
  writeFileSync(
    config,
    JSON.stringify({
      mounts: { "": { driver: "memory" } },
      server: { http: { listen, tls } },
      admin: { listen: admin },
      log: { level: "warn" },
    }),
  );
  const scheme = tls ? "https" : "http";
  await server(`${tls ? `http://${admin}/health` : `http://${listen}/:`}`, join(build, "bin", "omnistore"), "-c", config, "serve");
  return `${scheme}://${listen}`;
}

async function startUnstorage() {
  const port = await freePort();
  await server(`http://127.0.0.1:${port}/:`, "node", new URL("peer-server.mjs", import.meta.url).pathname, port);
  return `http://127.0.0.1:${port}`;
}

/** nginx with one worker over files, with its file cache. Only GET, and only if it is installed. */
async function startNginx({ scratch }, tls) {
  const program = ["nginx", "/usr/sbin/nginx"].find((path) => spawnSync(path, ["-v"]).status === 0);
  if (!program) return undefined;
  const folder = join(scratch, tls ? "nginx-tls" : "nginx");
  mkdirSync(join(folder, "bench"), { recursive: true });
  for (let i = 1; i <= count; ++i) writeFileSync(join(folder, "bench", String(i).padStart(6, "0")), "v".repeat(size));
  const port = await freePort();
  const plain = await freePort(); // to see that it serves
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder};`);
  const config = join(folder, "nginx.conf");
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr;
     events { worker_connections 1024; }
     http { access_log off; ${paths.join(" ")} keepalive_requests 100000000; open_file_cache max=${2 * count};
       server { listen 127.0.0.1:${plain}; root ${folder};
         ${tls ? `listen 127.0.0.1:${port} ssl; ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key};` : ""} } }\n`,
  );
  await server(`http://127.0.0.1:${plain}/bench/000001`, program, "-p", folder, "-c", config);
  return tls ? `https://127.0.0.1:${port}` : `http://127.0.0.1:${plain}`;
}

/** One round of wrk; what load.lua prints. */
async function load(url, method, seconds) {
  const command = ["wrk", "-t1", "-c64", `-d${seconds}s`, "-s", script, url, "--", method, count, size];
  const result = JSON.parse((await outputOfLoad(...command)).trim().split("\n").pop());
  if (result.failed > 0) throw new Error(`${url}: ${result.failed} of ${result.operations} requests failed`);
  return result;
}

async function fill(url) {
  for (let i = 1; i <= count; ++i) {
    const answer = await fetch(`${url}/bench/${String(i).padStart(6, "0")}`, { method: "PUT", body: "v".repeat(size) });
    if (!answer.ok) throw new Error(`${url}: PUT answered ${answer.status}`);
    await answer.arrayBuffer();
  }
}

export function httpGroup(name) {
  return {
    names: [`${name}-get`, `${name}-put`],
    async open(context) {
      const ours = await startOurs(context);
      const unstorage = await startUnstorage();
      const nginx = context.wanted(`${name}-get`) ? await startNginx(context) : undefined;
      await fill(ours);
      await fill(unstorage);
      const rate = (url, method) => async () => {
        const result = await load(url, method, 2);
        return result.operations / result.seconds;
      };
      return [
        {
          name: `${name}-get`,
          unit: "op/s",
          bars: { unstorage: 1 },
          sides: {
            ours: rate(ours, "GET"),
            unstorage: rate(unstorage, "GET"),
            ...(nginx && { nginx: rate(nginx, "GET") }),
          },
        },
        {
          name: `${name}-put`,
          unit: "op/s",
          bars: { unstorage: 1 },
          sides: { ours: rate(ours, "PUT"), unstorage: rate(unstorage, "PUT") },
        },
      ];
    },
  };
}

/** GETs with TLS beside nginx with TLS: the rate, and the time that 99 of 100 responses take at most. */
export function tlsGroup(name) {
  return {
    names: [`${name}-get`, `${name}-p99`],
    async open(context) {
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"; // the certificate is this benchmark's own
      const tls = certify(context.scratch);
      const ours = await startOurs(context, tls);
      const nginx = await startNginx(context, tls);
      await fill(ours);
      const rate = (url) => async () => {
        const result = await load(url, "GET", 2);
        return result.operations / result.seconds;
      };
      const p99 = (url) => async () => (await load(url, "GET", 2)).p99;
      const sides = (of) => ({ ours: of(ours), ...(nginx && { nginx: of(nginx) }) });
      return [
        { name: `${name}-get`, unit: "op/s", bars: { nginx: 1 }, sides: sides(rate) },
        { name: `${name}-p99`, unit: "ms", sides: sides(p99) },
      ];
    },
  };
}
