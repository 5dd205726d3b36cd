// SPDX-License-Identifier: Apache-2.0
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/printable.hpp"
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
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

int done(const Global &global, const json::object &answer) {
  Output out;
  if (global.json) out.json(answer);
  out.flush();
  return 0;
}

} // namespace

int run(const Global &global, const MountStore &options) {
  const std::string body = json::serialize(described(options));
  const json::object answer = ask_admin(global, mount_path(options.mountpoint), "PUT", body);
  if (const json::value *drivers = answer.if_contains("drivers"); drivers && !global.json && !global.quiet) {
    const std::string point(answer.at("mountpoint").as_string());
    Output out;
    out.line("mounted " + (point.empty() ? "(root)" : base::printable(point)) + ": " +
             base::printable(drivers->as_string()));
    out.flush();
  }
  return done(global, answer);
}

int run(const Global &global, const Unmount &options) {
  try {
    return done(global, ask_admin(global, mount_path(options.mountpoint), "DELETE"));
  } catch (const Error &error) {
    if (error.status() != Status::not_found) throw;
    throw Failure(error.status(), error.what(), "`omnistore mounts` lists the mounts");
  }
}

} // namespace omnistore::cli
