// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <omnistore/config.hpp>

namespace omnistore::cli {

/// Reads the argument of --over: "memory", or "fs {\"base\": ...}", a driver's name and its options.
inline StoreConfig read_over(const std::string &text) {
  const std::size_t space = text.find_first_of(" {");
  StoreConfig config;
  config.driver = text.substr(0, space);
  if (space != text.npos) config.options = text.substr(text.find('{', space));
  return config;
}

} // namespace omnistore::cli
