// SPDX-License-Identifier: Apache-2.0
// The page for everybody and everywhere: screen readers, the keyboard, light and dark, a phone, below a path, with a
// million keys, and fast.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { serve } from "../e2e/host.mjs";
import { seed, tiered, useBrowser, useHost } from "./browser.mjs";

const open = useBrowser();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

const views = {
  mounts: ["#/mounts/", (page) => page.getByRole("row").nth(2).waitFor()],
  keys: ["#/keys/", (page) => page.getByRole("option").first().waitFor()],
  key: ["#/keys/users/1", (page) => page.getByLabel("Value as JSON").waitFor()],
  events: ["#/events", (page) => page.getByRole("status").filter({ hasText: "live" }).waitFor()],
  explain: ["#/explain/tiers/k", (page) => page.getByRole("img", { name: /^Route/ }).waitFor()],
  slow: ["#/slow", (page) => page.getByText("are not recorded").waitFor()],
  config: ["#/config", (page) => page.getByLabel("Config without secrets").waitFor()],
  plugins: ["#/plugins", (page) => page.locator("summary").first().click()],
};

describe("the page", () => {
  const mounts = { "": { driver: "memory" }, tiers: tiered, broken: { driver: "not-there", optional: true } };
  const host = useHost(mounts, {}, (to) => seed(to, { "users/1": '{"name":"Ada","age":36,"here":true}', "tiers/k": "v", [`${"long/".repeat(20)}key`]: "v" }));

  const show = async (page, name) => {
    const [path, ready] = views[name];
    await page.goto(`${host.admin}/${path}`);
    await ready(page);
  };

  const violations = async (page) => {
    await page.evaluate(axe);
    const { violations: found } = await page.evaluate(() => globalThis.axe.run(document));
    return found.map((each) => `${each.id}: ${each.nodes.map((node) => `${node.html} (${node.any[0]?.message ?? ""})`).join("; ")}`);
  };

  for (const colorScheme of ["light", "dark"]) {
    it(`has nothing that axe objects to, ${colorScheme}`, async () => {
      const page = await open(host.admin, { colorScheme });
      for (const name of Object.keys(views)) {
        await show(page, name);
        assert.deepEqual(await violations(page), [], name);
      }
      await page.goto(`${host.admin}/#/keys/users/`);
      await page.getByRole("button", { name: "New key" }).click();
      assert.deepEqual(await violations(page), [], "dialog");
      await page.done();
    });
  }

  it("fits a phone without scrolling sideways, and axe agrees", async () => {
    const page = await open(host.admin, phone);
    for (const name of Object.keys(views)) {
      await show(page, name);
      const [wide, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= width, `${name}: ${wide} > ${width}`);
      assert.deepEqual(await violations(page), [], name);
    }
    await show(page, "key");
    await page.getByRole("link", { name: "Back" }).click();
    await page.getByRole("option", { name: /^1/ }).waitFor();
    await page.done();
  });

  it("follows the system to dark, and remembers another choice", async () => {
    const page = await open(host.admin, { colorScheme: "dark" });
    const color = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await color();
    await page.emulateMedia({ colorScheme: "light" });
    await page.getByRole("button", { name: "Dark" }).waitFor();
    const light = await color();
    assert.notEqual(dark, light);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.getByRole("button", { name: "Light" }).click();
    assert.equal(await color(), light);
    await page.reload();
    await page.getByRole("button", { name: "Dark" }).waitFor();
    assert.equal(await color(), light);
    await page.done();
  });

  it("is used by the keyboard: a skip link, views, and a dialog that Escape closes", async () => {
    const page = await open(`${host.admin}/#/keys/`);
    await page.getByRole("option").first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const create = page.getByRole("button", { name: "New key" });
    await create.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "New key" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Plugins" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Plugins" }).waitFor();
    await page.done();
  });

  it("asks nobody but its host", async () => {
    const page = await open("about:blank");
    const foreign = [];
    page.on("request", (request) => request.url().startsWith(host.admin) || foreign.push(request.url()));
    for (const name of Object.keys(views)) await show(page, name);
    assert.deepEqual(foreign.filter((url) => !url.startsWith("blob:")), []);
    await page.done();
  });

  it("works below a path of a proxy", async () => {
    const { hostname, port } = new URL(host.admin);
    const proxy = http.createServer((request, response) => {
      if (!request.url.startsWith("/ops/store/")) return response.writeHead(404).end();
      const path = request.url.slice("/ops/store".length);
      const to = http.request({ hostname, port, path, method: request.method, headers: request.headers }, (from) => {
        response.writeHead(from.statusCode, from.headers);
        from.pipe(response);
      });
      request.pipe(to);
      response.on("close", () => to.destroy());
      to.on("error", () => response.destroy());
    });
    await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
    const link = await (await fetch(`${host.admin}/session/link`, { method: "POST" })).json();
    const base = `http://127.0.0.1:${proxy.address().port}/ops/store`;
    const page = await open(base + link.path);
    try {
      await page.getByRole("button", { name: "Log out" }).waitFor();
      for (const name of Object.keys(views)) {
        await page.goto(`${base}/${views[name][0]}`);
        await views[name][1](page);
      }
      await page.goto(`${base}/#/keys/proxy/`);
      await page.getByRole("button", { name: "New key" }).click();
      await page.getByLabel("Key", { exact: true }).fill("proxy/k");
      await page.getByRole("button", { name: "Create" }).click();
      await page.getByLabel("Value as text").waitFor();
      assert.equal((await fetch(`${host.url}/proxy/k`)).status, 200);
      await page.done();
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("paints within 300 ms", async () => {
    const page = await open(host.admin);
    const times = [];
    // The machine may have other work, so the best of them counts.
    do {
      await page.reload();
      await page.getByRole("row").nth(1).waitFor();
      times.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    } while (times.length < 40 && Math.min(...times) >= 300);
    assert.ok(Math.min(...times) < 300, `${times.map(Math.round).join(", ")} ms`);
    await page.done();
  });
});

it("a million keys in one folder stay fluid", async () => {
  const host = await serve({ "": { driver: "memory" } });
  const amount = 1_000_000;
  const name = (i) => `many/k${String(i).padStart(7, "0")}`;
  for (let from = 0; from < amount; from += 10_000) {
    const set = Array.from({ length: 10_000 }, (_, i) => ({ key: name(from + i), value: "v" }));
    const response = await fetch(`${host.url}/`, { method: "POST", body: JSON.stringify({ set }) });
    assert.equal(response.status, 200);
    await response.arrayBuffer();
  }
  const page = await open(`${host.admin}/#/keys/many/`);
  const list = page.getByRole("listbox");
  await list.getByRole("option").first().waitFor();
  await list.focus();
  for (let i = 1; i <= 20; ++i) {
    await page.keyboard.press("End");
    await page.waitForFunction(([element, least]) => element.firstChild.clientHeight >= least,
      [await list.elementHandle(), (i + 1) * 1000 * 32]);
  }
  const { lines, median } = await list.evaluate((element) => {
    const times = [];
    for (let i = 0; i < 100; ++i) {
      element.scrollTop = (i * 7919) % element.scrollHeight;
      const start = performance.now();
      element.dispatchEvent(new Event("scroll"));
      times.push(performance.now() - start);
    }
    return { lines: element.querySelectorAll("[role=option]").length, median: times.sort((a, b) => a - b)[50] };
  });
  assert.ok(lines < 100, `${lines} lines are in the document`);
  assert.ok(median < 16, `a scroll takes ${median} ms`);
  await page.getByRole("searchbox").fill(name(amount - 1));
  await page.keyboard.press("Enter");
  await page.getByText("1 with the prefix").waitFor();
  await page.done();
  await host.stop();
});
