// SPDX-License-Identifier: Apache-2.0
#include "storage/plan.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "config/schema.hpp"
#include "config/secrets.hpp"
#include "config/source_map.hpp"
#include "loader/open.hpp"
#include "storage/background.hpp"
#include "storage/call.hpp"

namespace omnistore {
namespace {

void add_problem(std::vector<Problem> &problems, const StoreConfig &config, const std::string &field,
                 std::string message) {
  Problem problem{config.path.empty() ? field : config.path + "." + field, std::move(message)};
  if (config.places) {
    const SourceMap::Position place = config.places->find(problem.path);
    problem.line = place.line;
    problem.column = place.column;
  }
  problems.push_back(std::move(problem));
}

std::string children_wanted(const omnistore_driver &driver) {
  if (driver.max_children == 0) return "none";
  if (driver.max_children == UINT32_MAX) return std::to_string(driver.min_children) + " or more";
  if (driver.min_children == driver.max_children) return std::to_string(driver.min_children);
  return std::to_string(driver.min_children) + " to " + std::to_string(driver.max_children);
}

constexpr std::chrono::seconds validate_time(2); // for a driver to check its options, which needs no store

/// Takes what a driver's extension validate says. It has all that the call needs, because that may never return.
struct Validation : omnistore_problems {
  Validation(std::shared_ptr<const loader::Driver> asked, std::string given, std::size_t child_count)
      : omnistore_problems{sizeof(omnistore_problems), 0,
                           [](omnistore_problems *self, omnistore_bytes option, omnistore_bytes message) {
                             static_cast<Validation *>(self)->add(view(option), view(message));
                           }},
        driver(std::move(asked)), options(std::move(given)), children(static_cast<std::uint32_t>(child_count)) {}

  void add(std::string_view option, std::string_view message) noexcept {
    if (found.size() >= 64) return;
    try {
      found.emplace_back(option, message);
    } catch (const std::exception &) {
      // Without memory for the text, open finds the fault.
    }
  }
  void run() {
    HostCall call{std::chrono::milliseconds(validate_time)};
    const omnistore_status status = loader::call_validate(*driver, &call, bytes(options), children, this);
    if (status != OMNISTORE_OK) found.emplace_back("", call.cause(status));
    done.set_value();
  }

  const std::shared_ptr<const loader::Driver> driver;
  const std::string options;
  const std::uint32_t children;
  std::vector<std::pair<std::string, std::string>> found; ///< option and message; to be read when it is done
  std::promise<void> done;
};

/// Lets the driver check its options. A driver that does not return in time is a problem of this store alone: it keeps
/// its thread, and the next driver gets another one.
void ask_driver(const StoreConfig &config, const Plan &plan, const std::string &field, std::vector<Problem> &problems,
                Background &validations) {
  const auto asked = std::make_shared<Validation>(plan.driver, plan.options, plan.children.size());
  const std::future<void> done = asked->done.get_future();
  validations.submit({nullptr, [asked] { asked->run(); }});
  if (done.wait_for(validate_time) != std::future_status::ready)
    return add_problem(problems, config, field,
                       "driver " + config.driver + " has not come back from checking them after " +
                           std::to_string(validate_time.count()) + " s");
  for (const auto &[option, message] : asked->found)
    add_problem(problems, config, option.empty() ? field : field + "." + option,
                without_secrets(message, *plan.driver, plan.options));
}

/// Checks the number of children.
bool check_children(const StoreConfig &config, const omnistore_driver &driver, const std::string &field,
                    std::vector<Problem> &problems) {
  if (config.short_form && config.children.size() == 1)
    add_problem(problems, config, field, "the origin is missing; add \"origin\": { \"driver\": ... } beside it");
  else if (config.children.size() < driver.min_children || config.children.size() > driver.max_children)
    add_problem(problems, config, "layers",
                "driver " + config.driver + " takes " + children_wanted(driver) + ", found " +
                    std::to_string(config.children.size()));
  else
    return true;
  return false;
}

/// Checks that the last store below can watch if an option is on that needs it ("needsWatch" in the schema).
void check_watch(const StoreConfig &config, const Plan &plan, const boost::json::object &options,
                 const std::string &field, std::vector<Problem> &problems) {
  if (plan.children.empty() || !plan.children.back().driver) return;
  const loader::Driver &below = *plan.children.back().driver;
  const boost::json::value *properties = plan.driver->schema.if_contains("properties");
  if (below.table.watch || !properties) return;
  for (const auto &[name, property] : properties->as_object()) {
    const boost::json::value *needs = property.as_object().if_contains("needsWatch"), *on = options.if_contains(name);
    if (needs && needs->as_bool() && on && on->is_bool() && on->as_bool())
      add_problem(problems, config, field + "." + std::string(name),
                  "the driver " + config.children.back().driver +
                      " cannot watch for changes by other hosts; leave the option out, or use another driver there");
  }
}

/// Returns true if the driver, or a driver below it, has this name.
bool has_driver(const StoreConfig &config, std::string_view name) {
  return config.driver == name || std::any_of(config.children.begin(), config.children.end(),
                                              [name](const StoreConfig &child) { return has_driver(child, name); });
}

/// Checks that no driver below is one that the layer cannot stand above ("notAbove" in the schema).
void check_order(const StoreConfig &config, const loader::Driver &driver, std::vector<Problem> &problems) {
  const boost::json::value *refused = driver.schema.if_contains("notAbove");
  if (!refused) return;
  for (const auto &[name, remedy] : refused->as_object())
    for (const StoreConfig &child : config.children)
      if (has_driver(child, name))
        add_problem(problems, config, config.short_form ? "invalidation" : "driver",
                    config.driver + " does not work above " + std::string(name) + ": " +
                        std::string(remedy.as_string()));
}

} // namespace

Plan plan(const StoreConfig &config, loader::Registry &registry, bool optional, std::vector<Problem> &problems,
          Background &validations) {
  Plan result;
  const auto at = [&](const std::string &field) { return config.path.empty() ? field : config.path + "." + field; };
  // Without a driver's name, or if the store is no object, the config's own check has said so.
  if (!config.driver.empty() || problems.empty()) {
    try {
      result.driver = registry.find(config.driver);
    } catch (const Error &error) {
      result.problem = error.what();
      if (!optional) add_problem(problems, config, config.short_form ? "invalidation" : "driver", error.what());
    }
  }
  for (const StoreConfig &child : config.children) {
    result.children.push_back(plan(child, registry, optional, problems, validations));
    if (result.problem.empty()) result.problem = result.children.back().problem;
  }
  if (!result.driver) return result;
  check_order(config, *result.driver, problems);

  const std::string field = config.short_form ? "invalidation" : "options";
  const bool counted = !has_problem(problems, config.path, false) && !has_problem(problems, at("layers"), false) &&
                       !has_problem(problems, at("origin"), false);
  const bool complete = counted && check_children(config, result.driver->table, field, problems);
  if (has_problem(problems, at(field), true)) return result;

  boost::json::error_code failed;
  boost::json::value options = boost::json::parse(config.options, failed);
  if (failed) {
    add_problem(problems, config, field, "not JSON: " + failed.message());
    return result;
  }
  const std::size_t before = problems.size();
  config::validate(result.driver->schema, options, at(field), config.places.get(), problems, config.folder);
  result.options = boost::json::serialize(options);
  if (complete && problems.size() == before) check_watch(config, result, options.as_object(), field, problems);
  if (complete && problems.size() == before && result.driver->table.extension)
    ask_driver(config, result, field, problems, validations);
  return result;
}

std::string without_secrets(std::string message, const loader::Driver &driver, const std::string &options) {
  boost::json::error_code failed;
  const boost::json::value parsed = boost::json::parse(options, failed);
  std::vector<std::string> secrets;
  if (!failed) config::add_secrets(driver.schema, parsed, secrets);
  return config::without_secrets(std::move(message), secrets);
}

void check_stores(Draft &draft, loader::Registry &registry) {
  const auto validations = Background::make();
  for (const auto &[mountpoint, mount] : draft.config.mounts)
    plan(mount.store, registry, mount.optional, draft.problems, *validations);
}

} // namespace omnistore
