// SPDX-License-Identifier: Apache-2.0
// Sees each test of the page fail: breaks the function that the test is about, in the files that the browser gets, and
// runs the test. Prints a line for each, with the first line of the failure. Fails if a test passes nevertheless, or has
// no mutation here.
//   OMNISTORE_PROGRAM=build/release/bin/omnistore node tests/page/mutations.mjs [part of a name]
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The mutations by suite: a test, the file to break, a text in the file, and the text that replaces it. */
const mutations = {
  access: [
    ["has nothing that axe objects to, light", "base.css", "--muted: #55606c", "--muted: #b5bcc3"],
    ["has nothing that axe objects to, dark", "base.css", "--muted: #9ba6b2", "--muted: #3a424c"],
    ["fits a phone without scrolling sideways", "layout.css", "@media (max-width: 760px)", "@media (max-width: 76px)"],
    ["follows the system to dark", "theme.js", 'system.matches ? "dark"', 'system.matches ? "light"'],
    ["follows the system to dark", "theme.js", 'addEventListener("change", apply)', 'addEventListener("none", apply)'],
    ["follows the system to dark", "main.js", "localStorage.setItem(", "localStorage.getItem("],
    ["is used by the keyboard", "main.js", "() => main.focus()", "() => {}"],
    ["asks nobody but its host", "main.js", "const app =", 'fetch("http://127.0.0.1:1/").catch(() => {});\nconst app ='],
    ["works below a path of a proxy", "api.js", '"data/" + key', '"/data/" + key'],
    ["paints within 300 ms", "theme.js", "const system =", "for (const now = performance.now(); performance.now() < now + 400;);\n  const system ="],
    ["a million keys in one folder stay fluid", "virtual_list.js", "const beyond = 8", "const beyond = 80"],
  ],
  config: [
    ["that runs is shown without its secrets", "view_config.js", "JSON.stringify(config, null, 2)", '"{}"'],
    ["is checked, and each problem has its line", "view_config.js", 'h("td", {}, placeOf(problem))', 'h("td", {}, "")'],
    ["a check shows what a reload would change", "view_config.js", 'h("td", {}, placeOf(each))', 'h("td", {}, "")'],
    ["a check shows what a reload would change", "view_config.js", "found.now.length > 0 &&", "false &&"],
    ["a check shows what a reload would change", "view_config.js", 'await post("reload")', 'await get("reload")'],
    ["plugins are listed with file, hash", "view_plugins.js", '"mono" }, driver.sha256', '"mono" }, ""'],
    ["plugins are listed with file, hash", "view_plugins.js", "manual(driver)));", '""));'],
  ],
  https: [
    ["logs a browser in by a link, with a cookie", "session.js", 'history.replaceState(null, "", location.pathname + location.search);', ""],
    ["gets events as they come", "view_events.js", "source.addEventListener(type,", 'source.addEventListener("none",'],
    ["edits with If-Match, and shows a conflict", "key_edit.js", "etag: base?.etag", "etag: null"],
    ["uploads and downloads byte for byte", "key_new.js", "await write(key, file, {", "await write(key, file.slice(1), {"],
  ],
  keys: [
    ["are browsed by folder", "view_keys.js", 'parts.slice(0, i + 1).join("/") + "/"', '""'],
    ["are browsed by the keyboard alone", "virtual_list.js", 'event.key === "Enter"', 'event.key === "F2"'],
    ["are found by a prefix", "view_keys.js", ", end: search + lastPoint", ""],
    ["show JSON with lines and every digit", "preview.js", "colored(indented(text))", "colored(JSON.stringify(JSON.parse(text), null, 2))"],
    ["show JSON with lines and every digit", "preview.js", 'padStart(2, "0")', "padStart(2)"],
    ["show JSON with lines and every digit", "preview.js", 'if (pictureType(bytes)) forms.push("image");', ""],
    ["show their meta, and the expiry counts down", "key_detail.js", "setInterval(tick, 1000)", "0"],
    ["are made with a value and an expiry", "key_new.js", "{ absent: true, ttl", "{ ttl"],
    ["are edited, and keep their expiry and user meta", "key_edit.js", ", user: value.user }", " }"],
    ["are edited, and keep their expiry and user meta", "key_edit.js", "ttl: ttl.value.trim()", 'ttl: "0"'],
    ["that somebody else changed meanwhile", "key_edit.js", "etag: base?.etag", "etag: null"],
    ["that somebody removed meanwhile", "key_edit.js", "etag: base?.etag", "etag: null"],
    ["get another expiry", "key_detail.js", "await setTtl(key, ttl);", ""],
    ["are deleted after a question", "key_detail.js", '"Delete", true)) return;', '"Delete", true)) {}'],
    ["are deleted by folder after its name was typed", "folder_delete.js", "name.value !== folder", "false"],
    ["are deleted by folder after its name was typed", "folder_delete.js", "keyUrl(folder), {", "keyUrl(folder.slice(0, -1)), {"],
    ["are copied to the clipboard", "key_detail.js", "navigator.clipboard.writeText(new TextDecoder().decode(value.bytes))", "navigator.clipboard.writeText(key)"],
    ["are uploaded and downloaded byte for byte", "key_new.js", "await write(key, file, {", "await write(key, file.slice(1), {"],
    ["and values with markup in them", "dom.js", "element.append(child instanceof Node ? child : String(child))",
      'child instanceof Node ? element.append(child) : element.insertAdjacentHTML("beforeend", String(child))'],
    ["with odd characters are opened by a click", "view_keys.js", '"#/keys/" + key.split("/").map(encodeURIComponent)', '"#/keys/" + key.split("/")'],
  ],
  live: [
    ["is shown as events without a reload", "view_events.js", "source.addEventListener(type,", 'source.addEventListener("none",'],
    ["is filtered by key, kind and base", "view_events.js", "event.key.includes(filter.value)", "true"],
    ["is filtered by key, kind and base", "view_events.js", "types.has(event.type) &&", ""],
    ["is filtered by key, kind and base", "view_events.js", "new EventSource(keyUrl(base))", 'new EventSource(keyUrl(""))'],
    ["waits while paused, and loses nothing", "view_events.js", "if (paused === null) {", "if (true) {"],
    ["waits while paused, and loses nothing", "view_events.js", "[...waiting, ...events]", "[...events]"],
    ["is explained for a key as a picture", "view_explain.js", "routePicture(found)),", '""),'],
    ["is listed when it was slow", "view_slow.js", "latency(each.milliseconds / 1000)", '""'],
    ["a host that records no slow operations", "view_slow.js", "else if (threshold > 0)", "else if (true)"],
  ],
  login: [
    ["shows without a login how to get in", "main.js", "session.isKnown() && nav", "nav"],
    ["logs a browser in by the link", "session.js", 'history.replaceState(null, "", location.pathname + location.search);', ""],
    ["takes a token, rejects a wrong one", "login.js", "wrong.hidden = false;", ""],
    ["takes a token, rejects a wrong one", "session.js", 'await request("session", { method: "DELETE" });', ""],
    ["shows a token of the data listener its keys alone", "session.js", "mayRead(key) && state.keys.write", "mayRead(key)"],
    ["lets a token that only sees figures read no value", "session.js", "() => state.keys !== null", '() => state.keys !== null || state.admin !== "none"'],
    ["a listener without tokens needs no login", "session.js", "() => seesMounts() || seesKeys()", "() => false"],
  ],
  mounts: [
    ["show each mount with its state, hit rate", "view_mounts.js", "percent(stats.hit_rate)", '""'],
    ["show the layers of a mount below it", "view_mounts.js", "level + 1", "level"],
    ["show a mount that could not be opened", "view_mounts.js", '"not open", mount.reason', '"not open", ""'],
    ["show the size that a store reports", "view_mounts.js", "parts.push(keys === 1", "parts.push(keys === 0"],
    ["show the size that a store reports", "view_mounts.js", '!body.textContent.includes("not reported")', "true"],
    ["are reached by the arrow keys", "view_mounts.js", "ArrowDown: at + 1", "ArrowDown: at"],
    ["have charts of the last hour", "history.js", "y: mount[field][i]", "y: null"],
    ["a host without mounts says what to do", "view_mounts.js", "mounts.mounts.length === 0", "false"],
  ],
};

/** These tests are about the host, not about the page's files. */
const ofHost = ["refuses a change with the cookie", "forgets a session when it is logged out", "gives the page a policy"];

const here = fileURLToPath(new URL(".", import.meta.url));
const only = process.argv[2] ?? "";
const faults = [];
const words = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

for (const [suite, all] of Object.entries(mutations)) {
  const source = readFileSync(`${here}${suite}.test.mjs`, "utf8");
  for (const [, , name] of source.matchAll(/\bit\((["`])(.*?)\1/g)) {
    const begin = name.split("${")[0];
    if (![...all.map(([test]) => test), ...ofHost].some((test) => name.startsWith(test) || test.startsWith(begin))) {
      faults.push(`${suite}: ${name}: no mutation`);
    }
  }
  for (const [test, file, from, to] of all) {
    if (!`${suite}: ${test}`.includes(only)) continue;
    if (!readFileSync(`${here}../../host/src/page/${file}`, "utf8").includes(from)) {
      faults.push(`${suite}: ${test}: ${file} has no ${from}`);
      continue;
    }
    const served = file.endsWith(".css") ? "style.css" : file; // all CSS is served as one file
    const mutation = JSON.stringify({ file: served, from, to });
    const { stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", `--test-name-pattern=${words(test)}`, `${suite}.test.mjs`],
      { cwd: here, env: { ...process.env, PAGE_MUTATION: mutation }, encoding: "utf8", timeout: 180_000 });
    const failed = new RegExp(`^\\s*not ok \\d+ - .*${words(test)}`, "m").test(stdout);
    const reason = /^ *error: (?:\|-\n *)?(.*)/m.exec(stdout)?.[1] ?? "";
    console.log(`${failed ? "fails " : "PASSES"}  ${suite}: ${test}: ${file}: ${from} -> ${to}  (${reason})`);
    if (!failed) faults.push(`${suite}: ${test}: it passes with ${file}: ${from} -> ${to}`);
  }
}
for (const fault of faults) console.error(fault);
process.exit(faults.length > 0 ? 1 : 0);
