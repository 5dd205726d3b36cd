// SPDX-License-Identifier: Apache-2.0
#include <boost/json/serialize.hpp>

#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "config/schema.hpp"

namespace omnistore::cli {
namespace {

int print_manual(const Global &global, const std::string &name) {
  if (global.remote())
    throw Failure(Status::invalid, "drivers " + name + ": the manual is made from a plugin here",
                  "leave --url out, or see all drivers of the host with `omnistore drivers --url URL`");
  const auto driver = registry_of(global)->find(name);
  Output out;
  if (global.json) {
    out.json(boost::json::object{{"name", driver->name},
                                 {"version", driver->version},
                                 {"summary", driver->summary},
                                 {"file", driver->file},
                                 {"schema", driver->schema}});
  } else {
    out.line(paint(Colour::bold, driver->name, 1) + " " + driver->version + " - " + driver->summary);
    out.line("");
    out.write(config::manual(driver->schema));
  }
  out.flush();
  return 0;
}

} // namespace

int run(const Global &global, const Drivers &options) {
  if (!options.name.empty()) return print_manual(global, options.name);
  boost::json::object answer;
  if (global.remote()) {
    answer = ask_admin(global, "/drivers");
  } else {
    const auto registry = registry_of(global);
    const auto drivers = registry->all();
    answer = describe(drivers, *registry);
  }
  Output out;
  if (global.json)
    out.json(answer);
  else
    print_drivers(out, answer);
  out.flush();
  return 0;
}

} // namespace omnistore::cli
