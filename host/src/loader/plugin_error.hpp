// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace omnistore::loader {

/// A file, or a driver in it, cannot be used. what() is the reason without the file's name, and `advice` says what to
/// do.
class PluginError : public std::runtime_error {
public:
  explicit PluginError(const std::string &reason, std::string what_to_do = {})
      : std::runtime_error(reason), advice(std::move(what_to_do)) {}

  std::string advice; ///< may be empty
};

/// Returns the system's message for an errno.
inline std::string cause(int error) { return std::generic_category().message(error); }

} // namespace omnistore::loader
