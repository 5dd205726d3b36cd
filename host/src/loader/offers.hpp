// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin_error.hpp"
#include "registry.hpp"

namespace omnistore::loader {

/// The usable drivers of a plugin, and the reasons why the others are not usable.
struct Offers {
  struct Unusable {
    std::string driver; ///< its name; empty if it has none
    PluginError reason;
  };
  std::vector<std::shared_ptr<const Driver>> drivers;
  std::vector<Unusable> unusable;
};

} // namespace omnistore::loader
