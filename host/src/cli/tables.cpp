// SPDX-License-Identifier: Apache-2.0
#include "cli/tables.hpp"

#include <tuple>

#include <boost/json/array.hpp>

#include "cli/json_fields.hpp"
#include "config/schema.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string shown_point(const std::string &mountpoint) { return mountpoint.empty() ? "(root)" : mountpoint + ":"; }

std::string state(const json::object &mount) {
  if (!truth(mount, "available", true)) return "not open: " + text(mount, "reason");
  return truth(mount, "read_only", false) ? "read-only" : "open";
}

using Rows = std::vector<std::vector<std::string>>;

void add_children(Rows &rows, const json::object &store, const std::string &indent) {
  const json::array &children = array_in(store, "children");
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (!children[i].is_object()) continue;
    const json::object &child = children[i].get_object();
    const bool last = i + 1 == children.size();
    rows.push_back({"", indent + (last ? "└─ " : "├─ ") + text(child, "driver"), text(child, "version")});
    add_children(rows, child, indent + (last ? "   " : "│  "));
  }
}

std::string count_or_none(const json::object &limits, const char *name, const std::string &unit) {
  const std::int64_t most = integer(limits, name);
  return most == 0 ? "" : std::to_string(most) + " " + unit;
}

/// Adds what a driver's table states beyond its capabilities.
void print_traits(Output &out, const json::object &driver) {
  std::string traits = text(driver, "threads");
  if (truth(driver, "never_blocks", false)) traits += ", never blocks";
  if (truth(driver, "shared", false)) traits += ", shared with others";
  out.line("  threads   " + traits);
  out.line("  keeps     " + text(driver, "keeps"));
  out.line("  order     " + text(driver, "order"));
  const json::object &limits = object_in(driver, "limits"), &children = object_in(driver, "children");
  std::string bounds;
  for (const auto &[name, what, unit] :
       {std::tuple("max_key_size", "keys of ", "bytes"), std::tuple("max_value_size", "values of ", "bytes"),
        std::tuple("max_batch", "batches of ", "items"), std::tuple("min_ttl", "a ttl of at least ", "ms"),
        std::tuple("ttl_grain", "expiries to ", "ms")})
    if (const std::string bound = count_or_none(limits, name, unit); !bound.empty())
      bounds += (bounds.empty() ? "" : ", ") + (what + bound);
  out.line("  limits    " + (bounds.empty() ? "none of its own" : bounds));
  if (const std::int64_t most = integer(children, "max"); most != 0) {
    const std::int64_t least = integer(children, "min");
    out.line("  layers    " + (least == most ? std::to_string(most)
                                             : std::to_string(least) + " to " +
                                                   (most == UINT32_MAX ? "any number" : std::to_string(most))));
  }
}

/// Prints a driver and its capabilities; in the report on a file also its traits.
void print_head(Output &out, const json::object &driver, bool of_file = false) {
  out.line(paint(Colour::bold, text(driver, "name"), 1) + " " + text(driver, "version") + " - " +
           text(driver, "summary"));
  if (of_file) {
    out.line("  plugin    " + text(driver, "plugin") + " " + text(driver, "plugin_version") + ", ABI " +
             text(driver, "abi"));
    print_traits(out, driver);
  } else {
    out.line("  file      " + text(driver, "file"));
  }
  for (const char *how : {"native", "emulated", "no"}) {
    const std::string names = having(driver, how);
    std::string label = how;
    label.resize(10, ' ');
    if (!names.empty()) out.line("  " + label + names);
  }
}

void print_rejects(Output &out, const json::object &answer) {
  const json::array &rejects = array_in(answer, "rejects");
  if (rejects.empty()) return;
  out.line("");
  out.line(paint(Colour::yellow, "not usable", 1));
  for (const json::value &value : rejects) {
    if (!value.is_object()) continue;
    const json::object &reject = value.get_object();
    out.line("  " + text(reject, "file") + ": " + text(reject, "reason"));
    if (const std::string advice = text(reject, "advice"); !advice.empty()) out.line("    " + advice);
  }
}

} // namespace

std::string having(const json::object &driver, std::string_view how) {
  std::string result;
  for (const auto &[name, value] : object_in(driver, "capabilities")) {
    if (!value.is_string() || std::string_view(value.get_string()) != how) continue;
    result += (result.empty() ? "" : ", ") + std::string(name);
  }
  return result;
}

void print_mounts(Output &out, const json::object &answer) {
  Rows rows{{"MOUNT", "DRIVER", "VERSION", "TTL", "PREFIX", "STATE"}};
  for (const json::value &value : array_in(answer, "mounts")) {
    if (!value.is_object()) continue;
    const json::object &mount = value.get_object();
    const json::object &store = object_in(mount, "store");
    const std::string mountpoint = text(mount, "mountpoint");
    rows.push_back({shown_point(mountpoint), or_dash(text(store, "driver")), or_dash(text(store, "version")),
                    duration_text(integer(mount, "ttl")), or_dash(text(mount, "prefix")), state(mount)});
    add_children(rows, store, "");
  }
  for (const json::value &value : array_in(answer, "draining")) {
    if (!value.is_object()) continue;
    const json::object &store = value.get_object();
    rows.push_back({shown_point(text(store, "mountpoint")), or_dash(text(store, "driver")), "-", "-", "-",
                    "draining: waits for " + text(store, "waits_for")});
  }
  print_table(out, rows);
}

void print_drivers(Output &out, const json::object &answer) {
  for (const json::value &value : array_in(answer, "drivers")) {
    if (!value.is_object()) continue;
    const json::object &driver = value.get_object();
    print_head(out, driver);
  }
  if (array_in(answer, "drivers").empty()) {
    out.line("no drivers; looked in");
    for (const json::value &place : array_in(answer, "searched"))
      if (place.is_string()) out.line("  " + std::string(place.get_string()));
  }
  print_rejects(out, answer);
}

void print_changes(Output &out, const json::object &answer) {
  Rows rows{{"CHANGE", "MOUNT", "DRIVER", "DETAILS"}};
  for (const json::value &value : array_in(answer, "mounts")) {
    const json::object &mount = value.get_object();
    rows.push_back({text(mount, "change"), shown_point(text(mount, "mountpoint")), text(mount, "driver"),
                    or_dash(text(mount, "details"))});
  }
  print_table(out, rows);
  for (const json::value &field : array_in(answer, "now"))
    out.line(std::string(field.get_string()) + " is different; it takes effect with the reload");
  for (const json::value &field : array_in(answer, "later"))
    out.line(std::string(field.get_string()) + " is different; it takes effect when the host is started again");
}

void print_plugin(Output &out, const json::object &plugin) {
  out.line("file      " + text(plugin, "file"));
  out.line("sha256    " + text(plugin, "sha256"));
  std::string needs;
  for (const json::value &library : array_in(plugin, "needs"))
    needs += (needs.empty() ? "" : ", ") + std::string(library.as_string());
  out.line("needs     " + (needs.empty() ? "no library" : needs));
  for (const json::value &value : array_in(plugin, "drivers")) {
    const json::object &driver = value.as_object();
    out.line("");
    print_head(out, driver, true);
    out.line("");
    out.write(config::manual(object_in(driver, "schema")));
  }
  print_rejects(out, plugin);
}

void print_manual(Output &out, const json::object &driver) {
  print_head(out, driver);
  out.line("");
  out.write(config::manual(object_in(driver, "schema")));
}

} // namespace omnistore::cli
