// SPDX-License-Identifier: Apache-2.0
// Resident memory: a million values of 100 bytes in `omnistore serve` beside redis-server, what is left of it after a
// clear, and the memory that remains of long values that replace each other.
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, serverThat } from "./processes.mjs";

const mebi = 1024 * 1024;
const value = "v".repeat(100);
const key = (number) => `key:${String(number).padStart(12, "0")}`;

/** The same order in every run, and no key's neighbour in it next to it. */
const shuffled = (number, count) => (number * 611_953) % count;

/** Bytes of a process that are in memory. */
function resident(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

/** Waits until a process's resident memory has stood still for two seconds and a half, and returns it: a store gives
 *  memory back about a second after it became idle. */
async function settled(pid) {
  for (let last = resident(pid), still = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = resident(pid);
    still = now === last ? still + 1 : 0;
    if (still === 25) return now;
    last = now;
  }
}

async function ask(url, method, body) {
  const answer = await fetch(url, { method, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url} answered ${answer.status}: ${text.slice(0, 200)}`);
  return text;
}

async function startOurs({ build, scratch }, options) {
  const listen = `127.0.0.1:${await freePort()}`;
  const config = join(scratch, `resident-${listen.split(":")[1]}.jsonc`);
  writeFileSync(
    config,
    JSON.stringify({
      mounts: { "": { driver: "memory", options } },
      server: { http: { listen } },
      admin: { listen: `127.0.0.1:${await freePort()}` },
      log: { level: "warn" },
    }),
  );
  const url = `http://${listen}`;
  const command = [join(build, "bin", "omnistore"), "-c", config, "serve"];
  return { url, pid: await serverThat(async () => (await fetch(`${url}/:`)).ok, ...command) };
}

async function fillOurs({ url }, count) {
  const batch = 1000;
  for (let i = 0; i < count; i += batch) {
    const set = Array.from({ length: batch }, (_, n) => ({ key: key(shuffled(i + n, count)), value }));
    const failed = JSON.parse(await ask(`${url}/`, "POST", JSON.stringify({ set }))).set.filter((item) => item.status !== 200);
    if (failed.length > 0) throw new Error(`a set failed: ${JSON.stringify(failed[0])}`);
  }
}

/** A client of redis-server that sends and waits for as many lines of answer. */
async function redisClient(port) {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return async (text, lines) => {
    socket.write(text);
    let got = "";
    while (got.split("\r\n").length - 1 < lines) got += (await once(socket, "data"))[0];
    if (got.includes("-ERR")) throw new Error(`redis-server: ${got.slice(0, 200)}`);
  };
}

const command = (...parts) =>
  `*${parts.length}\r\n` + parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("");

async function startRedis({ scratch }) {
  const port = await freePort();
  const pid = await serverThat(
    async () => {
      await (await redisClient(port))(command("PING"), 1);
      return true;
    },
    ...["redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", scratch],
  );
  return { port, pid };
}

async function fillRedis({ port }, count) {
  const send = await redisClient(port);
  const batch = 1000;
  for (let i = 0; i < count; i += batch) {
    const sets = Array.from({ length: batch }, (_, n) => command("SET", key(shuffled(i + n, count)), value));
    await send(sets.join(""), batch);
  }
}

/** Starts a server and fills it: its resident memory before and after, bytes a key. */
async function filled(start, fill, count) {
  const server = await start();
  const base = await settled(server.pid);
  await fill(server, count);
  const whole = await settled(server.pid);
  return { server, whole: whole / count, grown: (whole - base) / count };
}

/** MiB at rest, after values of 20 MiB replaced each other in a store that may hold 64 MiB. */
async function longValues(context) {
  const { url, pid } = await startOurs(context, { maxBytes: "64MiB" });
  const long = Buffer.alloc(20 * mebi, 7);
  for (let i = 0; i < 30; ++i) await ask(`${url}/long:${i % 5}`, "PUT", long);
  return (await settled(pid)) / mebi;
}

export function residentGroup(name, count) {
  return {
    names: [name],
    async open(context) {
      const rows = async () => {
        const ours = await filled(() => startOurs(context, {}), fillOurs, count);
        const redis = await filled(() => startRedis(context), fillRedis, count);
        await ask(`${ours.server.url}/:`, "DELETE");
        const cleared = (await settled(ours.server.pid)) / mebi;
        const beside = (what, bar) => {
          const [mine, theirs] = [ours[what], redis[what]];
          return { unit: "B/key", ours: mine, peer: "redis", theirs, ratio: mine / theirs, bar, most: true };
        };
        // The bar of a figure that is beside a peer is a ratio's.
        const ratio = (row) => ({ ...row, ours: row.ratio, unit: `of ${row.theirs.toFixed(0)}`, theirs: undefined });
        return [
          { name: `${name}-whole`, ...beside("whole") },
          { name: `${name}-grown`, ...beside("grown") },
          { name: `${name}-ratio`, ...ratio(beside("whole", 0.95)) },
          { name: `${name}-cleared`, unit: "MiB", ours: cleared },
          { name: `${name}-long`, unit: "MiB", ours: await longValues(context), bar: 77, most: true },
        ];
      };
      return [{ name, rows }];
    },
  };
}
