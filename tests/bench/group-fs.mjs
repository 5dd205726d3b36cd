// SPDX-License-Identifier: Apache-2.0
// The fs driver, beside the bare system calls (same durability) and unstorage's, on the same files. Reads
// come from the page cache, so that they take only the processor; writes wait for the disk too.
import { join } from "node:path";
import { rate, worker } from "./processes.mjs";

const seconds = 1;
const tasks = [
  { task: "get", time: "processor", bars: { posix: 0.7 } },
  { task: "list", time: "processor", unit: "keys/s", bars: { posix: 0.5 } },
  { task: "batch-get", time: "processor", unit: "items/s" },
  { task: "set-new", bars: { posix: 0.7 } },
  { task: "set-over", bars: { posix: 0.7 } },
  { task: "batch-set", unit: "items/s" },
  { task: "set-synced", peers: ["posix"] },
];

/** Writes are measured on a filesystem in memory too: there they wait neither for the disk nor for earlier work of ext4,
 *  so that the figures repeat. */
const tasksInMemory = tasks.filter(({ task }) => task === "set-new" || task === "set-over");

export function filesGroup(name, count) {
  return {
    names: [
      ...tasks.map(({ task }) => `${name}-${task}`),
      ...tasksInMemory.map(({ task }) => `${name}-${task}-tmpfs`),
    ],
    async open({ build, folder, memory }) {
      const onDisk = await open(name, "", tasks, build, folder, count);
      return memory ? [...onDisk, ...(await open(name, "-tmpfs", tasksInMemory, build, memory, 10_000))] : onDisk;
    },
  };
}

async function open(name, suffix, tasks_, build, folder, count) {
  const ours = worker(join(build, "bench", "bench_fs"), folder, count);
  const unstorage = worker("node", new URL("peer-fs.mjs", import.meta.url).pathname, folder, count);
  await ours("load", 0);
  return tasks_.map(({ task, unit = "op/s", time = "seconds", bars, peers = ["posix", "unstorage"] }) => ({
    name: `${name}-${task}${suffix}`,
    unit,
    bars,
    sides: {
      ours: rate(ours, `ours.${task}`, seconds, time),
      posix: rate(ours, `raw.${task}`, seconds, time),
      ...(peers.includes("unstorage") && { unstorage: rate(unstorage, task, seconds, time) }),
    },
  }));
}
