// SPDX-License-Identifier: Apache-2.0
// The processes that a benchmark starts: pinned to a core, driven line by line, and all stopped at its end.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export { freePort } from "../e2e/free_port.mjs";

/** Servers, and all that works alone, run on the first core; what loads a server runs on the second. */
const firstCore = "0";
const secondCore = cpus().length > 1 ? "1" : "0";

const running = new Set();

function startOn(cores, command, input) {
  const child = spawn("taskset", ["-c", cores, ...command.map(String)], { stdio: [input, "pipe", "inherit"] });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

/** Starts a worker (worker.hpp): ask(task, seconds) gives its answer. Workers of all benchmarks share one core. */
export const worker = (...command) => ask(startOn(firstCore, command, "pipe"), command);

/** The same for one that loads a server. */
export const loader = (...command) => ask(startOn(secondCore, command, "pipe"), command);

/** The same for one whose threads work at once: it has both cores. */
export const freeWorker = (...command) => ask(startOn(`${firstCore},${secondCore}`, command, "pipe"), command);

function ask(child, command) {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (task, seconds) => {
    child.stdin.write(`${task} ${seconds}\n`);
    const line = await lines.next();
    if (line.done) throw new Error(`${command.join(" ")}: it ended at ${task}`);
    return JSON.parse(line.value);
  };
}

/** One round of a worker's task, in operations a second of the given time: "seconds" by the clock, or of the
 *  "processor" that the worker's threads took, which a busy machine disturbs less. */
export function rate(ask, task, seconds, time) {
  return async () => {
    const result = await ask(task, seconds);
    return result.operations / result[time];
  };
}

/** Starts a server and waits until `answers()` holds; returns the server's process id. */
export async function serverThat(answers, ...command) {
  const child = startOn(firstCore, command, "ignore");
  child.stdout.resume();
  for (let tries = 0; tries < 500; ++tries) {
    if (child.exitCode !== null) throw new Error(`${command.join(" ")}: it ended with ${child.exitCode}`);
    try {
      if (await answers()) return child.pid;
    } catch {
      // Nobody listens yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${command.join(" ")}: no answer`);
}

/** The same for a server that speaks HTTP. */
export const server = (url, ...command) => serverThat(async () => (await fetch(url)).ok, ...command);

/** Runs a program to its end in a folder; its output. */
export async function output(folder, program, ...parameters) {
  const { stdout } = await promisify(execFile)(program, parameters.map(String), { cwd: folder });
  return stdout;
}

/** The same, here, on the second core. */
export const outputOfLoad = (...command) => output(".", "taskset", "-c", secondCore, ...command);

export async function stopAll() {
  const ends = [...running].map((child) => once(child, "exit"));
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(ends);
}

