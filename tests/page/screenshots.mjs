// SPDX-License-Identifier: Apache-2.0
// Draws every view of the page into FOLDER, to be looked at by people: light, dark and on a phone; empty, full and
// failing.
//   OMNISTORE_PROGRAM=build/release/bin/omnistore node tests/page/screenshots.mjs FOLDER [part of a name]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { serve } from "../e2e/host.mjs";
import { seed } from "./browser.mjs";

const [folder, only = ""] = process.argv.slice(2);
if (!folder) throw new Error("screenshots.mjs FOLDER [part of a name]");
mkdirSync(folder, { recursive: true });

const looks = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2 },
};

const full = () => serve({
  "": { driver: "memory" },
  tiers: { driver: "overlay", layers: [{ driver: "memory" }, { driver: "fs", options: { base: "FOLDER/data" } }] },
  sessions: { driver: "memory", ttl: "30m" },
  slow: { driver: "fault", options: { status: "none", delay: 60 }, layers: [{ driver: "memory" }] },
}, { log: { slow: 50 } });

const failing = () => serve({
  "": { driver: "memory" },
  shared: { driver: "redis", options: { url: "redis://127.0.0.1:1" } },
  archive: { driver: "not-there", optional: true },
}, { log: { slow: 1 } });

async function fill(host) {
  await seed(host, {
    "users/1": JSON.stringify({ id: 1, name: "Ada Lovelace", roles: ["admin", "author"], active: true }),
    "users/2": JSON.stringify({ id: 2, name: "Grace Hopper", roles: [], active: false }),
    "notes/readme.txt": "Plain text\nwith two lines", "tiers/a/b": "deep", "slow/report": "late", greeting: "Hello, world",
    "blobs/bytes": Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 37) % 256)),
  });
  for (let i = 0; i < 60; ++i) await seed(host, { [`sessions/${String(i).padStart(4, "0")}-f3a9c1`]: `{"user":${i}}` });
  for (let i = 0; i < 30; ++i) await fetch(`${host.url}/${i % 5 ? "greeting" : "missing"}`);
}

const views = [
  ["mounts", "#/mounts/", (page) => page.locator("canvas").first().waitFor({ timeout: 40_000 })],
  ["keys", "#/keys/sessions/", (page) => page.getByRole("option").first().waitFor()],
  ["key", "#/keys/users/1", (page) => page.getByLabel("Value as JSON").waitFor()],
  ["hex", "#/keys/blobs/bytes", (page) => page.getByLabel("Value as hexadecimal bytes").waitFor()],
  ["events", "#/events", async (page, host) => {
    await page.getByRole("status").filter({ hasText: "live" }).waitFor();
    for (let i = 0; i < 12; ++i) await seed(host, { [`users/${i}`]: "{}" });
    await fetch(`${host.url}/users/3`, { method: "DELETE" });
    await page.getByRole("cell", { name: "removed" }).waitFor();
  }],
  ["explain", "#/explain/tiers/a/b", (page) => page.getByRole("img", { name: /^Route/ }).waitFor()],
  ["slow", "#/slow", (page) => page.getByRole("row").nth(1).waitFor()],
  ["config", "#/config", async (page) => {
    await page.getByRole("button", { name: "Check the file" }).click();
    await page.getByText("A reload would change nothing").waitFor();
  }],
  ["plugins", "#/plugins", (page) => page.locator("summary").first().click()],
];
const emptyViews = [
  ["empty-mounts", "#/mounts", (page) => page.getByText("Nothing is mounted").waitFor()],
  ["empty-events", "#/events", (page) => page.getByText("No events yet").waitFor()],
  ["empty-slow", "#/slow", (page) => page.getByText("are not recorded").waitFor()],
];
const failingViews = [
  ["failing-mounts", "#/mounts", (page) => page.getByText("failing").first().waitFor()],
  ["failing-keys", "#/keys/shared/", (page) => page.getByText("could not be loaded").waitFor()],
  ["failing-explain", "#/explain/shared/a", (page) => page.getByText("could not be loaded").or(page.getByRole("img")).first().waitFor()],
];

async function draw(browser, host, list) {
  for (const [look, options] of Object.entries(looks)) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    for (const [name, path, ready] of list) {
      if (!`${name}-${look}`.includes(only)) continue;
      await page.goto(`${host.admin}/${path}`);
      await page.reload();
      await ready(page, host).catch((error) => console.error(`${name}-${look}: ${error.message.split("\n")[0]}`));
      await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
    }
    await context.close();
  }
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const [begin, prepare, list] of [
    [full, fill, views], [() => serve({}), () => {}, emptyViews], [failing, () => {}, failingViews],
    [() => serve({ "": { driver: "memory" } }, { tokens: { admin: [{ value: "owner", write: true }] } }), () => {},
      [["login", "", (page) => page.getByRole("heading", { name: "Log in" }).waitFor()]]],
  ]) {
    if (only && !list.some(([name]) => Object.keys(looks).some((look) => `${name}-${look}`.includes(only)))) continue;
    const host = await begin();
    try {
      await prepare(host);
      await draw(browser, host, list);
    } finally {
      await host.stop();
    }
  }
} finally {
  await browser.close();
}
