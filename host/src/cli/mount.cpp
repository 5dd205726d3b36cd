// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/printable.hpp"
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/json_fields.hpp"
#include "cli/output.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

json::object described(const MountStore &options) {
  json::object mount;
  if (options.what.starts_with('{')) {
    json::error_code broken;
    const json::value value = json::parse(options.what, broken);
    if (broken)
      throw Failure(Status::invalid, "mount: no JSON: " + broken.message(),
                    "a mount is a driver's name, or JSON such as {\"driver\": \"memory\"}");
    mount = value.as_object();
  } else {
    mount["driver"] = options.what;
  }
  for (const std::string &option : options.options) {
    const std::size_t sign = option.find('=');
    if (sign == std::string::npos || sign == 0)
      throw Failure(Status::invalid, "mount: expected NAME=VALUE, found " + option, "as in -o size=1000");
    json::error_code text;
    json::value value = json::parse(option.substr(sign + 1), text);
    if (text) value = option.substr(sign + 1);
    json::value &all = mount["options"];
    if (!all.is_object()) all = json::object();
    all.get_object()[option.substr(0, sign)] = std::move(value);
  }
  return mount;
}

int done(const Global &global, const json::object &answer, const std::string &text) {
  Output out;
  if (global.json)
    out.json(answer);
  else if (!global.quiet)
    out.line(base::printable(text));
  out.flush();
  return 0;
}

std::string shown_point(const json::object &answer) {
  const std::string point = text(answer, "mountpoint");
  return point.empty() ? "(root)" : point + ":";
}

/// Returns "memory 1.0.0", as far as the host says it.
std::string shown_store(const json::object &store) {
  std::string shown = text(store, "driver");
  if (const std::string version = text(store, "version"); !version.empty()) shown += " " + version;
  std::string below;
  for (const json::value &child : array_in(store, "children"))
    if (child.is_object()) below += (below.empty() ? "" : ", ") + shown_store(child.get_object());
  return below.empty() ? shown : shown + " over " + below;
}

/// Returns when none of the stores that a response calls draining is left.
void await_close(const Global &global, json::object &answer) {
  const auto ids_in = [](const json::object &from) {
    std::set<std::int64_t> ids;
    for (const json::value &store : array_in(from, "draining"))
      if (store.is_object()) ids.insert(integer(store.get_object(), "id"));
    return ids;
  };
  std::set<std::int64_t> waited_for = ids_in(answer);
  std::chrono::milliseconds pause{20};
  while (!waited_for.empty()) {
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(500));
    const std::set<std::int64_t> left = ids_in(request_admin(global, "/mounts"));
    std::erase_if(waited_for, [&](std::int64_t id) { return !left.contains(id); });
  }
  answer["draining"] = json::array();
}

} // namespace

int run(const Global &global, const MountStore &options) {
  const std::string body = json::serialize(described(options));
  const json::object answer = request_admin(global, mount_path(options.mountpoint), "PUT", body);
  std::string said = "mounted " + shown_point(answer);
  if (const std::string store = shown_store(object_in(answer, "store")); !store.empty()) said += " " + store;
  if (text(answer, "change") == "replaced") {
    said += ", in place of what was mounted there";
    if (const std::string drivers = text(answer, "drivers"); !drivers.empty()) said += " (" + drivers + ")";
  }
  return done(global, answer, said);
}

int run(const Global &global, const Unmount &options) {
  try {
    json::object answer = request_admin(global, mount_path(options.mountpoint), "DELETE");
    if (options.wait) await_close(global, answer);
    std::string said = "unmounted " + shown_point(answer);
    for (const json::value &store : array_in(answer, "draining"))
      if (store.is_object()) said += "; its store waits for " + text(store.get_object(), "waits_for");
    return done(global, answer, said);
  } catch (const Error &error) {
    if (error.status() != Status::not_found) throw;
    throw Failure(error.status(), error.what(), "`omnistore mounts` lists the mounts");
  }
}

} // namespace omnistore::cli
