// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "offers.hpp"

namespace omnistore::loader {

/// One plugin file as a host would see it.
struct Inspected {
  std::string file;                ///< as it was named
  std::string sha256;              ///< "sha256:HEX"
  std::vector<std::string> needed; ///< the libraries that it is linked with (DT_NEEDED)
  Offers offers;
};

/// Loads one plugin file by the rules of a Registry, in the probe's process first, and opens no store. No pin and no
/// lock file applies: the caller chose this very file. Throws Unfit if it cannot be used at all. Thread-safe.
Inspected inspect(const std::string &file);

} // namespace omnistore::loader
