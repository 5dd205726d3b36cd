// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, and a page in it that notes what goes wrong.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "../e2e/host.mjs";

const program = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** A change of one of the page's files, {file, from, to}, under which a test has to fail: see mutations.mjs. */
const mutation = JSON.parse(process.env.PAGE_MUTATION ?? "null");

/** Starts a browser for all tests of a file. Returns a function that opens a page of it. */
export function useBrowser() {
  let browser;
  before(async () => {
    if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install chromium`);
    browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
  });
  after(() => browser?.close());
  return (url, options) => openPage(browser, url, options);
}

/**
 * Opens a URL in a browser profile of its own. page.problems has the errors of scripts and what the content security
 * policy refused; page.done() fails if there are any, and closes it.
 */
async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(mutation ? 15_000 : 60_000);
  if (mutation) await mutate(context);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.stack));
  page.on("console", (message) => {
    // A response of 4xx or 5xx is logged too; the tests look at what the page makes of it.
    if (message.type() === "error" && !/^Failed to load resource/.test(message.text())) page.problems.push(message.text());
  });
  page.done = async () => {
    const { problems } = page;
    await context.close();
    assert.deepEqual(problems, []);
  };
  await page.goto(url);
  return page;
}

async function mutate(context) {
  const { file, from, to } = mutation;
  await context.route((url) => url.pathname.endsWith(`/page/${file}`), async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    await route.fulfill({ response, body: text.replaceAll(from, () => to) });
  });
}

/** A mount with two layers. */
export const tiered = {
  driver: "overlay", layers: [{ driver: "memory" }, { driver: "fs", options: { base: "FOLDER/data" } }],
};

/**
 * Serves mounts (as serve() does) for all tests of a suite. `prepare` may fill them. Returns the host, whose addresses are
 * known when the first test begins.
 */
export function useHost(mounts, options = {}, prepare = () => {}) {
  const host = {};
  before(async () => {
    Object.assign(host, await serve(mounts, options));
    await prepare(host);
  });
  after(() => host.stop?.());
  return host;
}

/** Sets keys over the data listener. */
export async function seed(host, values, headers = {}) {
  for (const [key, value] of Object.entries(values)) {
    const response = await fetch(`${host.url}/${key}`, { method: "PUT", body: value, headers });
    assert.equal(response.status, 200);
  }
}
