// SPDX-License-Identifier: Apache-2.0
#include <boost/json/array.hpp>

#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/output.hpp"
#include "cli/tables.hpp"
#include "config/schema.hpp"
#include "loader/search.hpp"
#include "server/describe.hpp"

namespace omnistore::cli {
namespace {

/// What is known of all drivers, here or on the running host.
boost::json::object all_drivers(const Global &global) {
  if (global.remote()) return ask_admin(global, "/drivers");
  return server::describe(*registry_of(global), {});
}

/// Throws where there is none of that name.
const boost::json::object &find(const boost::json::object &answer, const std::string &name) {
  std::vector<std::string> names;
  for (const boost::json::value &driver : answer.at("drivers").as_array()) {
    names.emplace_back(driver.at("name").as_string());
    if (names.back() == name) return driver.as_object();
  }
  // A file of that very name, or one that offers such a driver, may be there and be refused.
  std::string reasons;
  for (const boost::json::value &reject : answer.at("rejects").as_array()) {
    const std::string file(reject.at("file").as_string()), reason(reject.at("reason").as_string()),
        advice(reject.at("advice").as_string());
    if (loader::fit(file, name) == loader::no_fit && reason.find("'" + name + "'") == reason.npos) continue;
    reasons += "\n  " + file + ": " + reason + (advice.empty() ? "" : "; " + advice);
  }
  if (!reasons.empty()) throw Failure(Status::invalid, "the driver " + name + " cannot be used:" + reasons, {});
  const std::string near = config::nearest(name, names);
  throw Failure(Status::invalid, "there is no driver " + name + (near.empty() ? "" : "; is " + near + " meant?"),
                "`omnistore drivers` lists those that there are, and the plugins that cannot be used");
}

} // namespace

int run(const Global &global, const Drivers &options) {
  const boost::json::object answer = all_drivers(global);
  Output out;
  if (options.name.empty())
    global.json ? out.json(answer) : print_drivers(out, answer);
  else
    global.json ? out.json(find(answer, options.name)) : print_manual(out, find(answer, options.name));
  out.flush();
  return 0;
}

} // namespace omnistore::cli
