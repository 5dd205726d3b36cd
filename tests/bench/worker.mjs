// SPDX-License-Identifier: Apache-2.0
// The node side of worker.hpp: the same lines, the same keys and values.
import { createInterface } from "node:readline";

/** "k:NN:NNNNNNNN", as worker.hpp makes it. */
export function key(number, base = "k") {
  const spread = (Math.imul(number, 2654435761 | 0) >>> 24).toString(16).padStart(2, "0");
  return `${base}:${spread}:${String(number).padStart(8, "0")}`;
}

/** Text of `size` characters that looks like no JSON. */
export function value(size, number) {
  let text = "x";
  for (let i = 1; i < size; ++i) text += String.fromCharCode(97 + ((number * 31 + i * 7) % 26));
  return Buffer.from(text).toString("latin1"); // one flat string, no rope
}

/** The items in a random order, the same in every run. */
export function shuffled(items, seed = 42) {
  const result = [...items];
  let state = seed;
  for (let i = result.length - 1; i > 0; --i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

/** Numbers 0 .. count - 1, round and round. */
export function ring(count) {
  let at = 0;
  return () => {
    const now = at;
    at = at + 1 === count ? 0 : at + 1;
    return now;
  };
}

export function require(holds, what) {
  if (!holds) throw new Error(what);
}

/** Starts to measure; the function it gives adds what passed, and the operations done, to a result. */
export function stopwatch() {
  const start = performance.now();
  const processor = process.cpuUsage();
  return (result, operations) => {
    const { user, system } = process.cpuUsage(processor);
    result.operations += operations;
    result.seconds += (performance.now() - start) / 1000;
    result.processor += (user + system) / 1e6;
  };
}

export const nothing = () => ({ operations: 0, seconds: 0, processor: 0 });

/** Awaits operation() again and again, `block` times between two looks at the clock; each counts as `weight`. */
export async function repeat(seconds, block, weight, operation) {
  const result = nothing();
  const end = performance.now() + seconds * 1000;
  const stop = stopwatch();
  let operations = 0;
  do {
    for (let i = 0; i < block; ++i) await operation();
    operations += block * weight;
  } while (performance.now() < end);
  stop(result, operations);
  return result;
}

/** Serves lines "TASK SECONDS" until the input ends. */
export async function serve(tasks) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, seconds] = line.split(" ");
    require(tasks[name], `no task ${name}`);
    process.stdout.write(JSON.stringify((await tasks[name](Number(seconds))) ?? nothing()) + "\n");
  }
}
