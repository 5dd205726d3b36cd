// SPDX-License-Identifier: Apache-2.0
// Keys: browsing, searching, previews, and every change.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { seed, useBrowser, useHost } from "./browser.mjs";

const open = useBrowser();
const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElFTkSuQmCC", "base64");

describe("the keys", () => {
  const host = useHost({ "": { driver: "memory" } });
  const keys = (page) => page.getByRole("listbox", { name: "Keys" });
  const names = (page) => keys(page).getByRole("option").locator(".key").allInnerTexts();
  const url = (path) => `${host.admin}/#/keys/${path}`;
  const value = async (key) => (await fetch(`${host.url}/${key}`)).text();
  const toast = (page, text) => page.locator("#toasts").getByText(text).waitFor();

  it("are browsed by folder", async () => {
    await seed(host, { "browse/a/1": "x", "browse/a/2": "y", "browse/z": "z" });
    const page = await open(url("browse/"));
    await keys(page).getByRole("option", { name: /^a\// }).click();
    await keys(page).getByRole("option", { name: /^2/ }).waitFor();
    assert.deepEqual(await names(page), ["1", "2"]);
    await page.getByRole("link", { name: "browse", exact: true }).click();
    await keys(page).getByRole("option", { name: /^z/ }).waitFor();
    assert.deepEqual((await names(page)).sort(), ["a/", "z"]);
    await page.done();
  });

  it("are browsed by the keyboard alone", async () => {
    await seed(host, { "board/in/k": "typed" });
    const page = await open(url("board/"));
    await keys(page).getByRole("option", { name: /^in\// }).waitFor();
    await keys(page).focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await keys(page).getByRole("option", { name: /^k/ }).waitFor();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.getByLabel("Value as text").getByText("typed").waitFor();
    await page.keyboard.press("Backspace");
    await keys(page).getByRole("option", { name: /^in\// }).waitFor();
    await page.done();
  });

  it("are found by a prefix, and a prefix without keys says so", async () => {
    await seed(host, { "find/apple": "1", "find/apricot": "2", "find/banana": "3" });
    const page = await open(url("find/"));
    await page.getByRole("searchbox").fill("find/ap");
    await page.keyboard.press("Enter");
    await keys(page).getByRole("option", { name: /^find\/apricot/ }).waitFor();
    assert.deepEqual((await names(page)).sort(), ["find/apple", "find/apricot"]);
    await page.getByRole("searchbox").fill("find/nothing");
    await page.keyboard.press("Enter");
    await page.getByText("No key begins with").waitFor();
    await page.done();
  });

  it("show JSON with lines and every digit, text, bytes in hexadecimal, and images", async () => {
    await seed(host, { "show/json": '{"id":12345678901234567890,"list":[1,true]}', "show/text": "plain <b>text</b>" });
    await seed(host, { "show/bytes": Buffer.from([0, 1, 254, 255]), "show/picture": picture });
    const page = await open(url("show/json"));
    assert.equal(await page.getByLabel("Value as JSON").innerText(),
      '{\n  "id": 12345678901234567890,\n  "list": [\n    1,\n    true\n  ]\n}');
    await page.getByRole("button", { name: "Text", exact: true }).click();
    assert.match(await page.getByLabel("Value as text").innerText(), /^\{"id":123/);
    await keys(page).getByRole("option", { name: /^text/ }).click();
    await page.getByLabel("Value as text").getByText("plain <b>text</b>").waitFor();
    await keys(page).getByRole("option", { name: /^bytes/ }).click();
    await page.getByLabel("Value as hexadecimal bytes").getByText("00 01 fe ff").waitFor();
    assert.ok(await page.getByRole("button", { name: "Edit" }).isDisabled());
    await keys(page).getByRole("option", { name: /^picture/ }).click();
    const image = page.getByRole("img", { name: "The value as an image" });
    await image.waitFor();
    await page.waitForFunction((element) => element.naturalWidth === 10, await image.elementHandle());
    await page.done();
  });

  it("show their meta, and the expiry counts down", async () => {
    await seed(host, { "meta/k": "12345" }, { "X-Ttl": "3000", "X-User-Meta": Buffer.from('{"by":"me"}').toString("base64") });
    const page = await open(url("meta/k"));
    const expiry = page.locator("[data-expiry]");
    await expiry.waitFor();
    await page.getByText("5 B").first().waitFor();
    await page.getByText('{"by":"me"}').waitFor();
    const first = await expiry.innerText();
    await page.waitForFunction(([element, text]) => element.textContent !== text, [await expiry.elementHandle(), first]);
    const seconds = (text) => {
      const [, minutes = 0, rest = 0] = text.match(/^in (?:(\d+) min)?(?: ?(\d+) s)?$/);
      return 60 * Number(minutes) + Number(rest);
    };
    const second = seconds(await expiry.innerText());
    assert.ok(second < seconds(first) && seconds(first) <= 3000, `${first}, then ${second} s`);
    await page.done();
  });

  it("are made with a value and an expiry, and an existing one is not overwritten", async () => {
    await seed(host, { "make/old": "old" });
    const page = await open(url("make/"));
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Key", { exact: true }).fill("make/old");
    await page.getByLabel("Value").fill("new");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("exists already").waitFor();
    assert.equal(await value("make/old"), "old");
    await page.getByLabel("Key", { exact: true }).fill("make/fresh");
    await page.getByLabel("Expires after").fill("5m");
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("[data-expiry]").waitFor();
    assert.equal(await value("make/fresh"), "new");
    await page.done();
  });

  it("are edited, and keep their expiry and user meta", async () => {
    await seed(host, { "edit/k": "before" }, { "X-Ttl": "1000", "X-User-Meta": Buffer.from("mine").toString("base64") });
    const page = await open(url("edit/k"));
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Value").fill("after");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByLabel("Value as text").getByText("after").waitFor();
    const response = await fetch(`${host.url}/edit/k`, { headers: { "X-User-Meta": "get" } });
    assert.equal(await response.text(), "after");
    assert.ok(Number(response.headers.get("x-ttl")) > 900);
    assert.equal(Buffer.from(response.headers.get("x-user-meta"), "base64").toString(), "mine");
    await page.done();
  });

  it("that somebody else changed meanwhile are shown as a conflict, and not overwritten", async () => {
    await seed(host, { "conflict/k": "first" });
    const page = await open(url("conflict/k"));
    await page.getByRole("button", { name: "Edit" }).click();
    await seed(host, { "conflict/k": "theirs" });
    await page.getByLabel("Value").fill("mine");
    await page.getByRole("button", { name: "Save" }).click();
    const alert = page.getByRole("alert").filter({ hasText: "Somebody changed this key" });
    await alert.waitFor();
    assert.match(await alert.innerText(), /theirs[^]*mine/);
    assert.equal(await value("conflict/k"), "theirs");
    await page.getByRole("button", { name: "Keep editing mine" }).click();
    await page.getByRole("button", { name: "Save over the stored version" }).click();
    await page.getByLabel("Value as text").getByText("mine").waitFor();
    assert.equal(await value("conflict/k"), "mine");
    await page.done();
  });

  it("that somebody removed meanwhile are not made again by a save", async () => {
    await seed(host, { "gone/k": "first" });
    const page = await open(url("gone/k"));
    await page.getByRole("button", { name: "Edit" }).click();
    await fetch(`${host.url}/gone/k`, { method: "DELETE" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Somebody removed this key").waitFor();
    assert.equal((await fetch(`${host.url}/gone/k`)).status, 404);
    await page.getByRole("button", { name: "Discard mine" }).click();
    await page.getByText("There is no such key").waitFor();
    await page.done();
  });

  it("get another expiry", async () => {
    await seed(host, { "ttl/k": "v" });
    const page = await open(url("ttl/k"));
    await page.getByRole("button", { name: "Expiry" }).click();
    await page.getByLabel("Expires after").fill("2h");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await page.locator("[data-expiry]").getByText(/^in (2 h|1 h 59 min)/).waitFor();
    await page.done();
  });

  it("are deleted after a question", async () => {
    await seed(host, { "delete/k": "v", "delete/other": "v" });
    const page = await open(url("delete/k"));
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await fetch(`${host.url}/delete/k`)).status, 200);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    await toast(page, "Deleted delete/k");
    await page.getByText("No key is chosen").waitFor();
    assert.equal((await fetch(`${host.url}/delete/k`)).status, 404);
    await page.done();
  });

  it("are deleted by folder after its name was typed, and those beside it stay", async () => {
    await seed(host, { "old/1": "v", "old/in/2": "v", "old-not/k": "v" });
    const page = await open(url("old/"));
    await keys(page).getByRole("option", { name: /^in\// }).waitFor();
    await page.getByRole("button", { name: "Delete folder" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete this folder?" });
    const go = dialog.getByRole("button", { name: "Delete all keys" });
    await dialog.getByLabel("Type old/ to confirm").fill("old");
    assert.equal(await go.isDisabled(), true);
    await page.keyboard.press("Enter");
    assert.equal((await fetch(`${host.url}/old/1`)).status, 200);
    await dialog.getByLabel("Type old/ to confirm").fill("old/");
    await go.click();
    await toast(page, "Deleted all keys below old/");
    await page.getByText("This folder is empty").waitFor();
    assert.deepEqual(await (await fetch(`${host.url}/old/`)).json(), []);
    assert.equal((await fetch(`${host.url}/old-not/k`)).status, 200);
    await page.goto(url(""));
    await keys(page).getByRole("option").first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Delete folder" }).count(), 0);
    await page.done();
  });

  it("are copied to the clipboard if they are text", async () => {
    await seed(host, { "copy/text": "grüße", "copy/bytes": Buffer.from([0, 1, 254, 255]) });
    const page = await open(url("copy/text"), { permissions: ["clipboard-read", "clipboard-write"] });
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await toast(page, "The value is in the clipboard");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "grüße");
    await keys(page).getByRole("option", { name: /^bytes/ }).click();
    await page.getByLabel("Value as hexadecimal bytes").waitFor();
    assert.equal(await page.getByRole("button", { name: "Copy", exact: true }).count(), 0);
    await page.done();
  });

  it("are uploaded and downloaded byte for byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256));
    const file = join(host.folder, "upload.bin");
    writeFileSync(file, bytes);
    const page = await open(url("files/"));
    await page.getByLabel("Files to upload").setInputFiles(file);
    await toast(page, "Uploaded files/upload.bin");
    assert.ok(Buffer.from(await (await fetch(`${host.url}/files/upload.bin`)).arrayBuffer()).equals(bytes));
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
    assert.equal(download.suggestedFilename(), "upload.bin");
    assert.ok(readFileSync(await download.path()).equals(bytes));
    await page.done();
  });

  it("and values with markup in them never become a part of the page", async () => {
    const hostile = "<img src=x onerror=alert(1)>";
    await seed(host, { [`hostile/${encodeURIComponent(hostile)}`]: `<script>alert(1)</script>` });
    const page = await open(url("hostile/"));
    await keys(page).getByRole("option").first().click();
    await page.getByLabel("Value as text").getByText("<script>alert(1)</script>").waitFor();
    await page.getByRole("heading", { name: hostile }).waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    await page.done();
  });

  it("with odd characters are opened by a click", async () => {
    const key = "odd/50% #1&=ü";
    await seed(host, { [key.split("/").map(encodeURIComponent).join("/")]: "odd value" });
    const page = await open(url("odd/"));
    await keys(page).getByRole("option").first().click();
    await page.getByLabel("Value as text").getByText("odd value").waitFor();
    await page.done();
  });
});
