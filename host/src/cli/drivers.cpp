// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include <boost/json/array.hpp>

#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/output.hpp"
#include "cli/tables.hpp"
#include "config/schema.hpp"
#include "loader/inspect.hpp"
#include "loader/search.hpp"
#include "report/describe.hpp"

namespace omnistore::cli {
namespace {

/// Returns the description of all drivers, here or on the running host.
boost::json::object all_drivers(const Global &global) {
  if (global.names_host()) return request_admin(global, "/drivers");
  return report::describe(*registry_of(global), {});
}

/// Throws if there is no driver of that name.
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

/// The drivers of one file, of which `name` chooses one. Returns the exit code.
int run_on_file(const Global &global, const Drivers &options) {
  if (global.names_host())
    throw Failure(Status::invalid, "drivers: --file is a file of this machine, and --url or --admin-url names a host",
                  "leave one of them out");
  const std::string file = std::filesystem::absolute(options.file).lexically_normal();
  boost::json::object answer;
  try {
    answer = report::describe(loader::inspect(file));
  } catch (const loader::PluginError &error) {
    throw Failure(Status::invalid, file + ": " + error.what(), error.advice);
  }
  if (!options.name.empty()) {
    const boost::json::object chosen = find(answer, options.name);
    answer["drivers"] = boost::json::array{chosen};
    answer["rejects"] = boost::json::array();
  }
  Output out;
  global.json ? out.json(answer) : print_plugin(out, answer);
  out.flush();
  return answer.at("rejects").as_array().empty() ? 0 : exit_code(Status::invalid);
}

} // namespace

int run(const Global &global, const Drivers &options) {
  if (!options.file.empty()) return run_on_file(global, options);
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
