// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace omnistore::kit {

/// The resources of the process that a driver must give back or leave alone: threads, descriptors, and the settings of
/// the whole process.
struct Census {
  std::set<std::string> threads;                  ///< their ids
  std::map<std::string, std::string> descriptors; ///< number to description
  std::string folder, locale;
  std::uint64_t signals = 0;   ///< a digest of all signals' actions
  std::uint64_t variables = 0; ///< a digest of the environment
  unsigned mask = 0;           ///< the umask

  static Census take();
  /// Throws Broken if there is a new resource or a setting has changed. Waits a moment for threads that have just
  /// ended.
  void compare(const std::string &after) const;
  /// The same for the settings of the process alone.
  void compare_settings(const std::string &after) const;

private:
  void require_settings(const Census &before, const std::string &after) const;
};

/// Returns the bytes that malloc has allocated in this process.
std::size_t allocated();

} // namespace omnistore::kit
