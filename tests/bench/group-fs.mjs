// SPDX-License-Identifier: Apache-2.0
// The fs driver, beside the bare system calls (same durability) and unstorage's, on the same files.
import { join } from "node:path";
import { worker } from "./processes.mjs";

const seconds = 1;
const tasks = [
  { task: "get", bars: { posix: 0.7 } },
  { task: "list", unit: "keys/s", bars: { posix: 0.5 } },
  { task: "batch-get", unit: "items/s" },
  { task: "set-new", bars: { posix: 0.7 } },
  { task: "set-over", bars: { posix: 0.7 } },
  { task: "batch-set", unit: "items/s" },
  { task: "set-synced", peers: ["posix"] },
];

export function filesGroup(name, count) {
  return {
    names: tasks.map(({ task }) => `${name}-${task}`),
    async open({ build, folder }) {
      const ours = worker(join(build, "bench", "bench_fs"), folder, count);
      const unstorage = worker("node", new URL("peer-fs.mjs", import.meta.url).pathname, folder, count);
      await ours("load", 0);
      const rate = (ask, task) => async () => {
        const result = await ask(task, seconds);
        return result.operations / result.seconds;
      };
      return tasks.map(({ task, unit = "op/s", bars, peers = ["posix", "unstorage"] }) => ({
        name: `${name}-${task}`,
        unit,
        bars,
        sides: {
          ours: rate(ours, `ours.${task}`),
          posix: rate(ours, `raw.${task}`),
          ...(peers.includes("unstorage") && { unstorage: rate(unstorage, task) }),
        },
      }));
    },
  };
}
