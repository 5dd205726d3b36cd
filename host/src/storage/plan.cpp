// SPDX-License-Identifier: Apache-2.0
#include "storage/plan.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "config/places.hpp"
#include "config/schema.hpp"

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

} // namespace

Plan plan(const StoreConfig &config, loader::Registry &registry, bool optional, std::vector<Problem> &problems) {
  Plan result;
  try {
    result.driver = registry.find(config.driver);
  } catch (const Error &error) {
    result.problem = error.what();
    if (!optional) add_problem(problems, config, config.short_form ? "invalidation" : "driver", error.what());
  }
  for (const StoreConfig &child : config.children) {
    result.children.push_back(plan(child, registry, optional, problems));
    if (result.problem.empty()) result.problem = result.children.back().problem;
  }
  if (!result.driver) return result;

  const omnistore_driver &driver = result.driver->table;
  const std::string field = config.short_form ? "invalidation" : "options";
  if (config.short_form && config.children.size() == 1)
    add_problem(problems, config, field, "the origin is missing; add \"origin\": { \"driver\": ... } beside it");
  else if (config.children.size() < driver.min_children || config.children.size() > driver.max_children)
    add_problem(problems, config, "layers",
                "driver " + config.driver + " takes " + children_wanted(driver) + ", found " +
                    std::to_string(config.children.size()));

  boost::json::error_code failed;
  boost::json::value options = boost::json::parse(config.options, failed);
  if (failed) {
    add_problem(problems, config, field, "not JSON: " + failed.message());
    return result;
  }
  config::validate(result.driver->schema, options, config.path.empty() ? field : config.path + "." + field,
                   config.places.get(), problems);
  result.options = boost::json::serialize(options);
  return result;
}

std::vector<Problem> check_stores(const Config &config, loader::Registry &registry) {
  std::vector<Problem> problems;
  for (const auto &[mountpoint, mount] : config.mounts) plan(mount.store, registry, mount.optional, problems);
  return problems;
}

} // namespace omnistore
