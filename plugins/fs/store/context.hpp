// SPDX-License-Identifier: Apache-2.0
// The parts of a store that its operations share.
#pragma once

#include <cstdint>

#include <omnistore/driver.h>

#include "store/settings.hpp"
#include "tree/owner.hpp"
#include "tree/tree.hpp"
#include "watching/own_changes.hpp"

namespace fs {

struct Context {
  const omnistore_host &host;
  const Settings &settings;
  const Tree &tree;
  Owner &owner;
  OwnChanges &own_changes;

  std::int64_t now() const { return host.now(&host); }
};

inline constexpr int max_tries =
    1000; ///< how often an operation starts again when other programs change the same files

} // namespace fs
