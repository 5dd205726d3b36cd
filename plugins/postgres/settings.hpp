// SPDX-License-Identifier: Apache-2.0
// The options of a store: how its connections are made, and which table it uses.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <omnistore/options.hpp>

namespace postgres {

struct Settings {
  explicit Settings(const omnistore::Options &options);

  std::vector<std::pair<std::string, std::string>> parameters; ///< of libpq; they hold the password
  bool is_db0;
  std::string table; ///< empty: the layout's own name
  bool triggers;
  std::size_t connections;
  std::int64_t connect_timeout; ///< milliseconds
};

} // namespace postgres
