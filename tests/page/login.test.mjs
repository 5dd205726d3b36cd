// SPDX-License-Identifier: Apache-2.0
// How a browser gets in, and what keeps others out.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serve } from "../e2e/host.mjs";
import { seed, useBrowser, useHost } from "./browser.mjs";

const open = useBrowser();
const memory = { "": { driver: "memory" } };
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** The Cookie header of a response's Set-Cookie. */
const cookieOf = (response) => response.headers.get("set-cookie").split(";")[0];

describe("a listener with tokens", () => {
  const tokens = {
    admin: [{ value: "owner", write: true }, { value: "viewer" }],
    http: [{ value: "writer", write: true, bases: ["team"] }, { value: "reader", bases: ["team"] }],
  };
  const host = useHost(memory, { tokens }, (to) => seed(to, { "team/a": "1" }, bearer("writer")));

  const freshLink = async () => {
    const response = await fetch(`${host.admin}/session/link`, { method: "POST", headers: bearer("owner") });
    return host.admin + (await response.json()).path;
  };

  it("shows without a login how to get in, and nothing else", async () => {
    const page = await open(host.admin);
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await page.getByText("omnistore serve", { exact: true }).waitFor();
    assert.equal(await page.getByRole("navigation").count(), 0);
    await page.done();
  });

  it("logs a browser in by the link that serve prints, once, and the code stays nowhere", async () => {
    const page = await open(host.page);
    await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
    assert.ok(!page.url().includes("code"));
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
    assert.equal(stored, "{}");
    const [cookie] = await page.context().cookies();
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.sameSite, "Strict");
    await page.reload();
    await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
    await page.done();

    const second = await open(host.page);
    await second.getByRole("alert").filter({ hasText: "used already" }).waitFor();
    await second.done();
  });

  it("takes a token, rejects a wrong one with a reason, and logs out", async () => {
    const page = await open(host.admin);
    await page.getByLabel("Token").fill("guess");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "not known" }).waitFor();
    await page.getByLabel("Token").fill("owner");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Token").waitFor();
    await page.reload();
    await page.getByLabel("Token").waitFor();
    await page.done();
  });

  it("shows a token of the data listener its keys alone, and no change that it may not make", async () => {
    const page = await open(host.admin);
    await page.getByLabel("Token").fill("reader");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("option", { name: /^a/ }).click();
    await page.getByLabel("Value as text").waitFor();
    assert.equal(await page.getByText("Your token only reads here").count(), 1);
    for (const name of ["New key", "Upload", "Edit", "Delete", "Delete folder", "Expiry"]) {
      assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
    }
    assert.deepEqual(await page.getByRole("navigation", { name: "Views" }).getByRole("link").allInnerTexts(), ["Keys", "Events"]);
    await page.done();
  });

  it("lets a token that only sees figures read no value", async () => {
    assert.equal((await fetch(`${host.admin}/data/team/a`, { headers: bearer("viewer") })).status, 401);
    assert.equal((await fetch(`${host.admin}/data/team/a`)).status, 401);
    assert.equal((await fetch(`${host.admin}/data/team/a`, { headers: bearer("reader") })).status, 200);
    assert.equal((await fetch(`${host.admin}/data/other`, { headers: bearer("reader") })).status, 403);
    assert.equal((await fetch(`${host.admin}/data/team/a`, { headers: bearer("owner") })).status, 200);
    const write = { method: "PUT", body: "2", headers: bearer("reader") };
    assert.equal((await fetch(`${host.admin}/data/team/a`, write)).status, 403);
    const page = await open(host.admin);
    await page.getByLabel("Token").fill("viewer");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
    assert.deepEqual(await page.getByRole("navigation", { name: "Views" }).getByRole("link").allInnerTexts(),
      ["Mounts", "Explain", "Slow", "Config", "Plugins"]);
    await page.done();
  });

  it("refuses a change with the cookie that does not come from the page itself", async () => {
    const code = (await freshLink()).split("#code=")[1];
    const login = await fetch(`${host.admin}/session`, { method: "POST", body: JSON.stringify({ code }) });
    const cookie = cookieOf(login);
    const put = (headers) => fetch(`${host.admin}/data/team/csrf`, { method: "PUT", body: "x", headers: { cookie, ...headers } });
    assert.equal((await put({})).status, 403);
    assert.equal((await put({ origin: "http://evil.example" })).status, 403);
    assert.equal((await put({ origin: host.admin })).status, 200);
    const reload = (headers) => fetch(`${host.admin}/reload`, { method: "POST", headers: { cookie, ...headers } });
    assert.equal((await reload({})).status, 403);
    assert.equal((await reload({ origin: host.admin })).status, 200);
    assert.equal((await fetch(`${host.admin}/stats`, { headers: { cookie } })).status, 200);
  });

  it("forgets a session when it is logged out", async () => {
    const login = await fetch(`${host.admin}/session`, { method: "POST", body: JSON.stringify({ token: "owner" }) });
    const cookie = cookieOf(login);
    await fetch(`${host.admin}/session`, { method: "DELETE", headers: { cookie, origin: host.admin } });
    assert.equal((await fetch(`${host.admin}/stats`, { headers: { cookie } })).status, 401);
  });

  it("gives the page a policy without inline scripts and eval, and the page keeps to it", async () => {
    const response = await fetch(host.admin, { headers: { accept: "text/html" } });
    const policy = response.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    const html = await response.text();
    assert.doesNotMatch(html, /<script(?![^>]*src=)|<style| style=| on\w+=|https?:/);
    assert.equal((await fetch(host.admin)).status, 401); // programs get JSON there, with a token
  });
});

it("a listener without tokens needs no login of the host's user", async () => {
  const host = await serve(memory);
  const page = await open(host.admin);
  await page.getByRole("heading", { name: "Mounts", exact: true }).waitFor();
  await page.done();
  await host.stop();
});
