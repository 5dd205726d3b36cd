// SPDX-License-Identifier: Apache-2.0
// `omnistore inspect` of a million keys, on a config and on a running host: when its first key is printed, and all of
// it with the count; beside `ls`, whose first line comes as its first page does.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, server } from "./processes.mjs";

/** Milliseconds until a command prints a line that begins so, and until its end. */
async function time(command, begins) {
  const start = process.hrtime.bigint();
  const since = () => Number(process.hrtime.bigint() - start) / 1e6;
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  let first;
  child.stdout.on("data", (piece) => {
    if (first !== undefined) return;
    text += piece;
    if (`\n${text}`.includes(`\n${begins}`)) first = since();
  });
  const [code] = await once(child, "close");
  if (code !== 0 || first === undefined) throw new Error(`${command.join(" ")}: it printed no "${begins}" (exit ${code})`);
  return { first, all: since() };
}

export function inspectGroup(name, count) {
  return {
    names: [name],
    async open({ build, scratch, rounds }) {
      const program = join(build, "bin", "omnistore");
      const config = join(scratch, "inspect.jsonc");
      const [http, admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
      const paths = [join(build, "plugins"), join(build, "tests", "plugins")];
      const mounts = { "": { driver: "numbers", options: { count } } };
      const listeners = { server: { http: { listen: http } }, admin: { listen: admin } };
      writeFileSync(config, JSON.stringify({ plugins: { paths }, mounts, ...listeners, log: { level: "warn" } }));
      await server(`http://${http}/n0000000`, program, "-c", config, "serve");
      const remote = [program, "--url", `http://${http}`, "--admin-url", `http://${admin}`];
      const runs = {
        here: [[program, "-c", config, "inspect"], "- "],
        url: [[...remote, "inspect"], "- "],
        ls: [[program, "-c", config, "ls"], "n"],
      };
      const rows = async () => {
        const seen = Object.fromEntries(Object.keys(runs).map((each) => [each, []]));
        for (let round = 0; round < rounds; ++round)
          for (const [each, [command, begins]] of Object.entries(runs)) seen[each].push(await time(command, begins));
        const middle = (each, field) => seen[each].map((run) => run[field]).sort((a, b) => a - b)[rounds >> 1];
        const beside = (each, field) => ({ peer: "ls", theirs: middle("ls", field), ratio: middle(each, field) / middle("ls", field) });
        return [
          { name: `${name}-first`, unit: "ms", ours: middle("here", "first"), ...beside("here", "first"), bar: 50, most: true },
          { name: `${name}-url-first`, unit: "ms", ours: middle("url", "first"), bar: 50, most: true },
          { name: `${name}-all`, unit: "ms", ours: middle("here", "all"), ...beside("here", "all") },
        ];
      };
      return [{ name, rows }];
    },
  };
}
