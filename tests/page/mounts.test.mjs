// SPDX-License-Identifier: Apache-2.0
// The tree of mounts, and the charts of their last hour.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serve } from "../e2e/host.mjs";
import { seed, tiered, useBrowser, useHost } from "./browser.mjs";

const open = useBrowser();

/** Returns true if a canvas has a dot in a color of the page's palette. It runs in the browser. */
function hasColor(canvas, name) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const wanted = getComputedStyle(probe).color.match(/\d+/g).map(Number);
  probe.remove();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 255 && wanted.every((part, i) => Math.abs(data[at + i] - part) < 6)) return true;
  }
  return false;
}

describe("the mounts", () => {
  const mounts = { "": { driver: "memory" }, tiers: tiered, broken: { driver: "not-there", optional: true } };
  const host = useHost(mounts, {}, async (to) => {
    await seed(to, { a: "1", "tiers/b": "2" });
    for (const key of ["a", "a", "a", "missing"]) await fetch(`${to.url}/${key}`);
  });

  const row = (page, name) => page.getByRole("row").filter({ has: page.getByText(name, { exact: true }) });

  it("show each mount with its state, hit rate, plugin and version", async () => {
    const page = await open(host.admin);
    const root = row(page, "(root)");
    await root.getByText("75.0 %").waitFor();
    await root.getByText("open", { exact: true }).waitFor();
    assert.match(await root.innerText(), /memory \d+\.\d+\.\d+/);
    assert.match(await root.innerText(), /\d+(\.\d+)? (µs|ms|s) \/ \d+/);
    await page.done();
  });

  it("show the layers of a mount below it, each with its own figures", async () => {
    const page = await open(host.admin);
    await row(page, "tiers").waitFor();
    const rows = await page.getByRole("row").evaluateAll((all) =>
      all.map((each) => [each.getAttribute("aria-level"), each.cells[0].innerText.trim()]));
    const at = rows.findIndex(([, name]) => name === "tiers");
    assert.deepEqual(rows.slice(at, at + 3), [["1", "tiers"], ["2", "memory"], ["2", "fs"]]);
    await page.done();
  });

  it("show a mount that could not be opened with the reason", async () => {
    const page = await open(host.admin);
    const broken = row(page, "broken");
    await broken.getByText("not open").waitFor();
    assert.match(await broken.innerText(), /there is no driver 'not-there'/);
    await page.done();
  });

  it("show the size that a store reports, and say how to find another one", async () => {
    const page = await open(host.admin);
    assert.match(await row(page, "(root)").innerText(), /\b1 key\b/);
    assert.match(await row(page, "tiers").innerText(), /see its layers/);
    assert.match(await page.locator("tr.layer", { hasText: /fs \d/ }).innerText(), /not reported/);
    await page.getByText("omnistore inspect").waitFor();
    await page.done();
  });

  it("are reached by the arrow keys, and Enter shows the charts of one", async () => {
    const page = await open(host.admin);
    await row(page, "tiers").waitFor();
    await page.locator("tbody tr").first().focus();
    for (let i = 0; i < 10 && !/^tiers/.test(await page.evaluate(() => document.activeElement.innerText)); ++i) {
      await page.keyboard.press("ArrowDown");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "tiers: the last hour" }).waitFor();
    await page.done();
  });

  it("have charts of the last hour, with a sample every ten seconds", async () => {
    const page = await open(`${host.admin}/#/mounts/`);
    const traffic = setInterval(() => fetch(`${host.url}/a`), 200);
    try {
      const colors = { Operations: "--accent", "Hit rate": "--ok", Latency: "--accent", Errors: "--bad", Evictions: "--warn" };
      for (const [title, color] of Object.entries(colors)) {
        const chart = page.getByRole("img", { name: new RegExp(`^${title} of \\(root\\)`) });
        await chart.waitFor();
        assert.ok(await chart.evaluate(hasColor, color), `${title} has its line`);
      }
      const figure = page.locator('[data-chart="rate"] h3 span');
      await page.waitForFunction((element) => parseFloat(element.textContent) > 0, await figure.elementHandle());
    } finally {
      clearInterval(traffic);
    }
    await page.done();
  });
});

it("a host without mounts says what to do", async () => {
  const host = await serve({});
  const page = await open(host.admin);
  await page.getByText("Nothing is mounted").waitFor();
  await fetch(`${host.admin}/mounts/late`, { method: "PUT", body: '{"driver": "memory"}' });
  await page.getByRole("row").filter({ hasText: "late" }).waitFor();
  await page.done();
  await host.stop();
});
