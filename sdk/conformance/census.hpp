// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace omnistore::kit {

/// What the process has that belongs to the host or must be given back: threads, descriptors, and what is set for the
/// whole process.
struct Census {
  std::set<std::string> threads;                  ///< their ids
  std::map<std::string, std::string> descriptors; ///< number -> what it is
  std::string folder, locale;
  std::uint64_t signals = 0;   ///< a digest of all signals' actions
  std::uint64_t variables = 0; ///< a digest of the environment
  unsigned mask = 0;           ///< of files that are made

  static Census take();
  /// Throws Broken where something is there now that was not, or is set otherwise. Threads that have just ended may
  /// take a moment to go.
  void compare(const std::string &after) const;
};

/// Bytes that malloc has given out in this process.
std::size_t allocated();

} // namespace omnistore::kit
