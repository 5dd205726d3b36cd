// SPDX-License-Identifier: Apache-2.0
// node bench.mjs --build FOLDER [--json] [--rounds N] [NAME...]: runs the benchmarks, each one's sides in turn, and
// prints what they gave. scripts/bench builds what this runs; README.md says how to read it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { agesGroup } from "./group-ages.mjs";
import { copyGroup } from "./group-copy.mjs";
import { engineGroup } from "./group-engines.mjs";
import { etcdGroup } from "./group-etcd.mjs";
import { filesGroup } from "./group-fs.mjs";
import { httpGroup, tlsGroup } from "./group-http.mjs";
import { inspectGroup } from "./group-inspect.mjs";
import { lsGroup } from "./group-ls.mjs";
import { memoryEngineGroup } from "./group-memory-engine.mjs";
import { memoryGroup } from "./group-memory.mjs";
import { overlayGroup } from "./group-overlay.mjs";
import { postgresGroup } from "./group-postgres.mjs";
import { redisClusterGroup, redisGroup } from "./group-redis.mjs";
import { residentGroup } from "./group-resident.mjs";
import { s3Group } from "./group-s3.mjs";
import { startGroup } from "./group-start.mjs";
import { watchesGroup } from "./group-watches.mjs";
import { stopAll } from "./processes.mjs";
import { table } from "./report.mjs";

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string" },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
  },
});
const rounds = Number(options.rounds);
const groups = [
  memoryGroup("memory", 100_000),
  memoryGroup("memory-1m", 1_000_000),
  memoryEngineGroup("engine", 1_000_000),
  filesGroup("fs", 100_000),
  copyGroup("copy", 100_000),
  overlayGroup("overlay", 10_000),
  redisGroup("redis", 10_000),
  redisClusterGroup("redis-cluster", 10_000),
  engineGroup("sqlite", 100_000, [
    { task: "get", unit: "op/s", bar: 0.8 },
    { task: "batch-set", unit: "items/s", bar: 0.8 },
  ]),
  engineGroup("lmdb", 100_000, [
    { task: "get", unit: "op/s", bar: 0.7 },
    { task: "batch-get", unit: "items/s", bar: 0.8 },
  ]),
  postgresGroup("postgres", 10_000),
  etcdGroup("etcd", 1_000),
  s3Group("s3"),
  httpGroup("http"),
  tlsGroup("tls"),
  watchesGroup("watches"),
  agesGroup("ages", 1_000_000),
  lsGroup("ls", 1_000_000),
  inspectGroup("inspect", 1_000_000),
  startGroup("start"),
  residentGroup("resident", 1_000_000),
];

function median(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Returns true if a benchmark is wanted: by its name, or by the start of it up to a "-". */
const wanted = (name) => names.length === 0 || names.some((asked) => name === asked || name.startsWith(`${asked}-`));

/** Lets the sides of one benchmark take turns; a row for each peer, whose ratio is the median over the rounds. */
async function duel({ name, unit, bars = {}, sides }) {
  const figures = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  for (let round = 0; round < rounds; ++round)
    for (const [side, run] of Object.entries(sides)) figures[side].push(await run());
  return Object.keys(sides)
    .filter((side) => side !== "ours")
    .map((peer) => ({
      name,
      unit,
      ours: median(figures.ours),
      peer,
      theirs: median(figures[peer]),
      ratio: median(figures.ours.map((figure, round) => figure / figures[peer][round])),
      bar: bars[peer],
    }));
}

function check(groups_) {
  const known = groups_.flatMap((group) => group.names);
  const unknown = names.filter((asked) => !known.some((name) => name === asked || name.startsWith(`${asked}-`)));
  if (unknown.length === 0 && options.build && rounds > 0) return;
  if (unknown.length > 0) console.error(`no benchmark is called ${unknown.join(", ")}; there are: ${known.join(" ")}`);
  else console.error("usage: bench.mjs --build FOLDER [--json] [--rounds N] [NAME...]");
  process.exit(2);
}

/** Returns a folder on a filesystem in memory, or nothing if the system has none. */
function folderInMemory() {
  try {
    return mkdtempSync("/dev/shm/omnistore-bench-");
  } catch {
    process.stderr.write("no folder in /dev/shm: nothing is measured on tmpfs\n");
  }
}

async function main() {
  check(groups);
  // Files go below the build folder: the one for temporary files may lie in memory.
  mkdirSync(join(options.build, "bench"), { recursive: true });
  const context = {
    build: options.build,
    folder: mkdtempSync(join(options.build, "bench", "files-")),
    scratch: mkdtempSync(join(tmpdir(), "omnistore-bench-")),
    memory: folderInMemory(),
    source: new URL("../../", import.meta.url).pathname,
    wanted,
    rounds,
  };
  const cleanUp = async () => {
    await stopAll();
    rmSync(context.folder, { recursive: true, force: true });
    rmSync(context.scratch, { recursive: true, force: true });
    if (context.memory) rmSync(context.memory, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => cleanUp().finally(() => process.exit(1)));
  const rows = [];
  const failures = [];
  /** Does a part of the work; a failure is kept for the end, so that no other part's result is lost. */
  const attempt = async (name, run) => {
    try {
      return await run();
    } catch (error) {
      failures.push(`${name}: ${error.message}`);
      process.stderr.write(`${name} failed: ${error.message}\n`);
    }
  };
  try {
    for (const group of groups) {
      if (!group.names.some(wanted)) continue;
      const benchmarks = (await attempt(group.names.filter(wanted).join(", "), () => group.open(context))) ?? [];
      for (const benchmark of benchmarks.filter(({ name }) => wanted(name))) {
        process.stderr.write(`${benchmark.name} ...\n`);
        await attempt(benchmark.name, async () =>
          rows.push(...(benchmark.rows ? await benchmark.rows() : await duel(benchmark))),
        );
      }
      await stopAll();
    }
  } finally {
    process.stdout.write(options.json ? JSON.stringify(rows, null, 2) + "\n" : table(rows));
    await cleanUp();
  }
  if (failures.length > 0) {
    process.stderr.write(`failed:\n  ${failures.join("\n  ")}\n`);
    process.exitCode = 1;
  }
}

await main();
