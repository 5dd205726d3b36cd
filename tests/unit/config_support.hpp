// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include <omnistore/config.hpp>

namespace test {

using Variables = std::map<std::string, std::string>;

inline omnistore::Config parse(std::string_view text, std::string_view profile = {}, const Variables &variables = {}) {
  return omnistore::Config::parse(text, "", profile, [&](const std::string &name) {
    auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

/// Returns each problem in its printed form; none if the text is right.
inline std::vector<std::string> problems(std::string_view text, std::string_view profile = {},
                                         const Variables &variables = {}) {
  std::vector<std::string> out;
  try {
    parse(text, profile, variables);
  } catch (const omnistore::ConfigError &error) {
    for (const auto &problem : error.problems()) out.push_back(problem.text());
  }
  return out;
}

/// The only one.
inline std::string problem(std::string_view text, std::string_view profile = {}, const Variables &variables = {}) {
  auto all = problems(text, profile, variables);
  for (const auto &one : all) UNSCOPED_INFO(one);
  REQUIRE(all.size() == 1);
  return all.front();
}

} // namespace test
