// SPDX-License-Identifier: Apache-2.0
// The config, its check, the changes of a reload, and the plugins.
import assert from "node:assert/strict";
import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serve } from "../e2e/host.mjs";
import { useBrowser, useHost } from "./browser.mjs";

const open = useBrowser();

describe("the config", () => {
  let text;
  const host = useHost({
    "": { driver: "memory" },
    far: { driver: "redis", options: { url: "redis://user:hidden-password@127.0.0.1:1", base: "x" }, optional: true },
  }, {}, (to) => (text = readFileSync(to.config, "utf8")));

  it("that runs is shown without its secrets", async () => {
    const page = await open(`${host.admin}/#/config`);
    const shown = await page.getByLabel("Config without secrets").innerText();
    assert.equal(JSON.parse(shown).mounts[""].driver, "memory");
    assert.doesNotMatch(await page.content(), /hidden-password/);
    await page.getByText(host.config).waitFor();
    await page.getByText(/\(root\) at 1:\d+/).waitFor();
    await page.done();
  });

  it("is checked, and each problem has its line and column", async () => {
    const page = await open(`${host.admin}/#/config`);
    writeFileSync(host.config, text.replace('"mounts":{', '"mounts":{\n"wrong": {"driver": "memory", "options": {"nonsense": 1}},\n'));
    await page.getByRole("button", { name: "Check the file" }).click();
    await page.getByRole("alert").filter({ hasText: "has a problem" }).waitFor();
    const row = page.getByRole("row").filter({ hasText: "nonsense" });
    assert.match(await row.innerText(), /line 2, column \d+/);
    writeFileSync(host.config, text);
    await page.getByRole("button", { name: "Check the file" }).click();
    await page.getByText("A reload would change nothing").waitFor();
    await page.done();
  });
});

it("a check shows what a reload would change, and the reload makes it", async () => {
  const host = await serve({ "": { driver: "memory" } });
  // The host reloads a changed file by itself, so the new mount is one that does not open before a file is gone.
  const blocked = join(host.folder, "blocked");
  writeFileSync(blocked, "");
  const fresh = { driver: "fs", options: { base: join(blocked, "data") } };
  const text = readFileSync(host.config, "utf8");
  writeFileSync(host.config, text.replace('"mounts":{', `"mounts":{\n  "fresh": ${JSON.stringify(fresh)},\n`)
    .replace('"log":{', '"stopTimeout":"3s","log":{"json":true,'));
  const page = await open(`${host.admin}/#/config`);
  await page.getByRole("button", { name: "Check the file" }).click();
  const row = page.getByRole("row").filter({ hasText: "fresh" });
  await row.waitFor();
  assert.match(await row.innerText(), /added[^]*line 2, column 3/);
  await page.getByText("1 mount is kept as it is").waitFor();
  await page.getByText("take effect with the reload: stopTimeout").waitFor();
  await page.getByText("take effect when the host is started again: log.json").waitFor();
  const reload = async () => {
    await page.getByRole("button", { name: "Reload" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reload" }).click();
  };
  await reload();
  await page.getByRole("alert").filter({ hasText: "blocked" }).waitFor();
  unlinkSync(blocked);
  await reload();
  await page.getByText("these changes are in effect").waitFor();
  await page.goto(`${host.admin}/#/mounts`);
  await page.getByRole("row").filter({ hasText: "fresh" }).waitFor();
  await page.done();
  await host.stop();
});

it("plugins are listed with file, hash, capabilities and manual", async () => {
  const host = await serve({ "": { driver: "memory" } });
  const page = await open(`${host.admin}/#/plugins`);
  const plugin = page.locator("details").filter({ has: page.getByText("redis", { exact: true }) });
  await plugin.locator("summary").click();
  const text = await plugin.innerText();
  assert.match(text, /redis\.so/);
  assert.match(text, /[0-9a-f]{64}/);
  assert.match(text, /\w+: (native|emulated)/);
  const option = plugin.getByRole("row").filter({ has: page.getByRole("cell", { name: "url", exact: true }) });
  assert.match(await option.innerText(), /string/);
  await page.done();
  await host.stop();
});
