// SPDX-License-Identifier: Apache-2.0
// The config that runs, a check of its file, and what a reload would change.
import { get, post } from "./api.js";
import { confirm, toast } from "./dialogs.js";
import { button, empty, failed, h, head, scroller, show } from "./dom.js";
import { mountName } from "./format.js";
import { mayChange } from "./session.js";

const changes = { added: "ok", removed: "bad", replaced: "warn", kept: "" };
const placeOf = ({ line, column }) => (line ? `line ${line}, column ${column}` : "–");

function problemTable(problems) {
  return scroller(h("table", {},
    h("thead", {}, h("tr", {}, ["Place", "Field", "Problem"].map((name) => h("th", {}, name)))),
    h("tbody", {}, problems.map((problem) => h("tr", {}, h("td", {}, placeOf(problem)),
      h("td", { class: "mono wrap" }, problem.path || "(the file)"), h("td", { class: "wrap" }, problem.message))))));
}

function changeTable(mounts) {
  return scroller(h("table", {},
    h("thead", {}, h("tr", {}, ["Change", "Mount", "Driver", "Place", "Details"].map((name) => h("th", {}, name)))),
    h("tbody", {}, mounts.map((each) => h("tr", {},
      h("td", {}, h("span", { class: `chip ${changes[each.change]}` }, each.change)), h("td", {}, mountName(each.mountpoint)),
      h("td", {}, each.driver), h("td", {}, placeOf(each)), h("td", { class: "wrap small" }, [each.details].flat().join("\n")))))));
}

export function open(main) {
  const source = h("section", { class: "card", "aria-label": "The config that runs" }, h("p", { class: "empty", role: "status" }, "Loading …"));
  const result = h("div", {}, empty("Not checked yet", "A check reads the file again and shows its problems, or what a reload would change. It changes nothing."));
  const check = button("Check the file", runCheck);
  const reload = mayChange() && button("Reload", runReload, { class: "primary" });
  show(main, head("Config", check, reload), h("div", { class: "columns" }, source,
    h("section", { class: "card", "aria-label": "Check" }, h("div", { class: "title" }, h("h2", {}, "Check and changes")), result)));

  function changed(found, done) {
    const real = found.mounts.filter((each) => each.change !== "kept");
    const same = found.mounts.length - real.length;
    const words = real.length === 0 && found.now.length === 0 && found.later.length === 0
      ? done ? "The file is read. Nothing changed." : "The file has no problems. A reload would change nothing."
      : done ? "The file is read, and these changes are in effect." : "The file has no problems. A reload would make these changes.";
    show(result, h("div", { class: "pad" }, h("p", { class: "note ok", role: "status" }, words),
      found.now.length > 0 && h("p", { class: "note" },
        `These fields take effect with the reload: ${found.now.join(", ")}`),
      found.later.length > 0 && h("p", { class: "note warn" },
        `These fields take effect when the host is started again: ${found.later.join(", ")}`)),
    real.length > 0 && changeTable(real),
    same > 0 && h("p", { class: "status" }, same === 1 ? "1 mount is kept as it is" : `${same} mounts are kept as they are`));
  }

  function wrong(error) {
    if (error.body?.problems) {
      const { problems } = error.body;
      show(result, h("div", { class: "pad" }, h("p", { class: "note bad", role: "alert" },
        `The file has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}. The running config stays as it is.`)),
      problemTable(problems));
    } else {
      show(result, h("div", { class: "pad" }, h("p", { class: "note bad", role: "alert" }, error.message)));
    }
  }

  async function runCheck() {
    await get("reload").then((found) => changed(found, false), wrong);
  }

  async function runReload() {
    if (!await confirm("Reload the config?", "The host reads the file again. All of its changes take effect, or none.", "Reload")) return;
    await post("reload").then(async (found) => {
      changed(found, true);
      toast("The config is reloaded");
      await load();
    }, wrong);
  }

  async function load() {
    try {
      const { file, profile, config, places } = await get("config");
      show(source, h("div", { class: "title" }, h("h2", {}, "What runs"), h("span", { class: "spring" }),
        h("code", {}, file || "not from a file"), profile && h("span", { class: "chip info" }, `profile ${profile}`)),
      h("pre", { class: "source", tabindex: "0", "aria-label": "Config without secrets" }, JSON.stringify(config, null, 2)),
      Object.keys(places).length > 0 && h("p", { class: "status" }, "Mounts in the file: "
        + Object.entries(places).map(([name, place]) => `${mountName(name)} at ${place.line}:${place.column}`).join(", ")));
    } catch (error) {
      show(source, failed(error, load));
    }
  }

  load();
}
