// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>

namespace omnistore {

/// Where each value of a config text stands, by its path ("mounts.cache.layers.0.options").
class Places {
public:
  struct Place {
    unsigned line = 0, column = 0; ///< counted from 1
  };
  void add(std::string path, Place place) { places_.insert_or_assign(std::move(path), place); }
  /// The place of a path, or of the nearest thing around it; line 0 where nothing is known.
  Place find(std::string path) const;

private:
  std::unordered_map<std::string, Place> places_;
};

} // namespace omnistore
