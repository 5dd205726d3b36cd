// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "registry.hpp"
#include "unfit.hpp"

namespace omnistore::loader {

/// What a plugin offers: the drivers that can be used, and why the others cannot.
struct Offers {
  struct Unusable {
    std::string driver; ///< its name; empty if it has none
    Unfit reason;
  };
  std::vector<std::shared_ptr<const Driver>> drivers;
  std::vector<Unusable> unusable;
};

} // namespace omnistore::loader
