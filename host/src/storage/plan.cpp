// SPDX-License-Identifier: Apache-2.0
#include "storage/plan.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "config/places.hpp"
#include "config/schema.hpp"
#include "config/secrets.hpp"
#include "loader/open.hpp"
#include "storage/call.hpp"

namespace omnistore {
namespace {

void add_problem(std::vector<Problem> &problems, const StoreConfig &config, const std::string &field,
                 std::string message) {
  Problem problem{config.path.empty() ? field : config.path + "." + field, std::move(message)};
  if (config.places) {
    const Places::Place place = config.places->find(problem.path);
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

/// Takes what a driver's extension validate says, and gives it the places of the config.
class DriverProblems : public omnistore_problems {
public:
  DriverProblems(const StoreConfig &config, const Plan &plan, const std::string &field, std::vector<Problem> &problems)
      : omnistore_problems{sizeof(omnistore_problems), 0, add_}, config_(config), plan_(plan), field_(field),
        problems_(problems) {}

private:
  static void OMNISTORE_CALL add_(omnistore_problems *self, omnistore_bytes option, omnistore_bytes message) {
    static_cast<DriverProblems *>(self)->add(view(option), view(message));
  }
  void add(std::string_view option, std::string_view message) noexcept {
    if (++count_ > 64) return;
    try {
      add_problem(problems_, config_, option.empty() ? field_ : field_ + "." + std::string(option),
                  without_secrets(std::string(message), *plan_.driver, plan_.options));
    } catch (const std::exception &) {
      // Without memory for the text, open finds the fault.
    }
  }

  const StoreConfig &config_;
  const Plan &plan_;
  const std::string &field_;
  std::vector<Problem> &problems_;
  unsigned count_ = 0;
};

void ask_driver(const StoreConfig &config, const Plan &plan, const std::string &field, std::vector<Problem> &problems) {
  HostCall call;
  DriverProblems into(config, plan, field, problems);
  const omnistore_status status = loader::call_validate(*plan.driver, &call, bytes(plan.options),
                                                        static_cast<std::uint32_t>(plan.children.size()), &into);
  if (status != OMNISTORE_OK)
    add_problem(problems, config, field, without_secrets(call.cause(status), *plan.driver, plan.options));
}

/// Whether the number of children is right.
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

} // namespace

Plan plan(const StoreConfig &config, loader::Registry &registry, bool optional, std::vector<Problem> &problems) {
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
    result.children.push_back(plan(child, registry, optional, problems));
    if (result.problem.empty()) result.problem = result.children.back().problem;
  }
  if (!result.driver) return result;

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
  if (complete && problems.size() == before) ask_driver(config, result, field, problems);
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
  for (const auto &[mountpoint, mount] : draft.config.mounts)
    plan(mount.store, registry, mount.optional, draft.problems);
}

} // namespace omnistore
