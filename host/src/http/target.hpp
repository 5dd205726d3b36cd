// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace omnistore::http {

/// The parts of a request's target. The views point into it.
struct Target {
  std::string_view authority; ///< of "http://host:port/..."; empty if the target is a path
  std::string_view path;      ///< "/a%20b/c"; "*" of OPTIONS
  std::string_view query;     ///< without the '?'
};

/// Returns false if the target is neither a path nor an absolute URL.
bool split_target(std::string_view target, Target &into);

/// Returns the decoded value of a query's parameter, or nullopt if the query does not have it.
std::optional<std::string> parameter(std::string_view query, std::string_view name);

/// Reads a whole decimal number within bounds. Returns nullopt for any other text.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least, std::uint64_t most);

} // namespace omnistore::http
