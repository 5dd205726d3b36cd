// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, and a page in it that notes what goes wrong.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

const program = process.env.CHROMIUM ?? "/usr/bin/chromium";

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
  page.setDefaultTimeout(60_000);
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

/** Sets keys over the data listener. */
export async function seed(host, values, headers = {}) {
  for (const [key, value] of Object.entries(values)) {
    const response = await fetch(`${host.url}/${key}`, { method: "PUT", body: value, headers });
    assert.equal(response.status, 200);
  }
}
