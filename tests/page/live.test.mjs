// SPDX-License-Identifier: Apache-2.0
// Events as they come, the route of a key, and slow operations.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serve } from "../e2e/host.mjs";
import { seed, tiered, useBrowser, useHost } from "./browser.mjs";

const open = useBrowser();

describe("what happens now", () => {
  const slow = { driver: "fault", options: { status: "none", delay: 30 }, layers: [{ driver: "memory" }] };
  const host = useHost({ "": { driver: "memory" }, tiers: tiered, slow }, { log: { slow: 20 } });

  const live = (page) => page.getByRole("status").filter({ hasText: "live" }).waitFor();
  const shown = (page) => page.locator(".events tbody tr td:nth-child(3)").allInnerTexts();

  it("is shown as events without a reload, with the cause of a removal", async () => {
    const page = await open(`${host.admin}/#/events`);
    await live(page);
    await seed(host, { "live/a": "1" });
    await page.getByRole("cell", { name: "live/a" }).waitFor();
    await fetch(`${host.url}/live/a`, { method: "DELETE" });
    await page.getByRole("cell", { name: "removed" }).waitFor();
    await page.done();
  });

  it("is filtered by key, kind and base", async () => {
    const page = await open(`${host.admin}/#/events`);
    await live(page);
    await seed(host, { "filter/apple": "1", "filter/pear": "1" });
    await page.getByRole("cell", { name: "filter/pear" }).waitFor();
    await page.getByRole("searchbox", { name: "Filter by key" }).fill("apple");
    await page.getByRole("cell", { name: "filter/pear" }).waitFor({ state: "detached" });
    assert.deepEqual(await shown(page), ["filter/apple"]);
    await page.getByLabel("updates").uncheck();
    await page.getByText("No events yet").waitFor();
    await page.getByLabel("updates").check();
    await page.getByRole("searchbox", { name: "Filter by key" }).fill("");
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByLabel("Base").fill("only");
    await page.getByRole("button", { name: "Watch" }).click();
    await live(page);
    await seed(host, { "elsewhere": "1", "only/this": "1" });
    await page.getByRole("cell", { name: "only/this" }).waitFor();
    assert.deepEqual(await shown(page), ["only/this"]);
    await page.done();
  });

  it("waits while paused, and loses nothing", async () => {
    const page = await open(`${host.admin}/#/events`);
    await live(page);
    await page.getByRole("button", { name: "Pause" }).click();
    await seed(host, { "paused/a": "1", "paused/b": "2" });
    await page.getByText("2 new while paused").waitFor();
    assert.deepEqual(await shown(page), []);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("cell", { name: "paused/b" }).waitFor();
    assert.deepEqual(await shown(page), ["paused/b", "paused/a"]);
    await page.done();
  });

  it("is explained for a key as a picture of its route", async () => {
    await seed(host, { "tiers/k": "v" });
    const page = await open(`${host.admin}/#/explain`);
    await page.getByRole("textbox", { name: "Key" }).fill("tiers/k");
    await page.getByRole("button", { name: "Explain" }).click();
    const picture = page.getByRole("img", { name: /^Route of tiers:k: mount tiers, found in/ });
    await picture.waitFor();
    const texts = await picture.locator("text").allTextContents();
    for (const text of ["tiers/k", "tiers", "overlay", "memory", "fs", "#1"]) assert.ok(texts.includes(text), text);
    assert.ok(texts.some((text) => /^hit · /.test(text)));
    assert.ok(texts.includes("not called"));
    await page.getByRole("textbox", { name: "Key" }).fill("tiers/none");
    await page.keyboard.press("Enter");
    await page.getByRole("img", { name: /^Route of tiers:none/ }).waitFor();
    assert.ok(!(await picture.count()));
    await page.done();
  });

  it("is listed when it was slow, with key, mount, driver and time", async () => {
    await seed(host, { "slow/turtle": "v" });
    const page = await open(`${host.admin}/#/slow`);
    const row = page.getByRole("row").filter({ hasText: "slow/turtle" });
    await row.waitFor();
    assert.match(await row.innerText(), /\d+ ms|\d+\.\d ms/);
    assert.match(await row.innerText(), /slow\s+fault/);
    await page.getByText("Slower than 20.0 ms").waitFor();
    await page.done();
  });
});

it("a host that records no slow operations says how to switch them on", async () => {
  const host = await serve({ "": { driver: "memory" } });
  const page = await open(`${host.admin}/#/slow`);
  await page.getByText("Slow operations are not recorded").waitFor();
  await page.getByText('"log": {"slow": 100}').waitFor();
  await page.done();
  await host.stop();
});
