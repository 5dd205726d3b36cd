// SPDX-License-Identifier: Apache-2.0
// The options of a store.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <omnistore/driver.hpp>

namespace fs {

/// The things that a write waits for: nothing, the bytes of the value, or the folder too.
enum class Durability { none, data, full };

struct Settings {
  /// Throws a Failure that names a wrong option.
  explicit Settings(const omnistore::Options &options);
  static void validate(const omnistore::Options &options, omnistore::Problems &problems);

  bool is_durable() const { return durability != Durability::none; }

  std::string base; ///< an absolute path
  bool read_only, no_clear;
  Durability durability;
  mode_t mode, folder_mode; ///< of new values and folders
  std::vector<std::string> ignore;
};

} // namespace fs
