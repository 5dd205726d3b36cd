// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "offers.hpp"

namespace omnistore::loader {

/// One plugin file as a host sees it.
struct Inspected {
  std::string file;                ///< as it was named
  std::string sha256;              ///< "sha256:HEX"
  std::vector<std::string> needed; ///< the libraries that it is linked with (DT_NEEDED)
  Offers offers;
};

/// Loads one plugin file by the rules of a Registry, after a probe, and opens no store. Pins and lock files do not
/// apply, since the caller chose this file. Throws PluginError if the file cannot be used at all. Thread-safe.
Inspected inspect(const std::string &file);

} // namespace omnistore::loader
