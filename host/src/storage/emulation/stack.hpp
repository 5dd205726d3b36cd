// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/emulation/layers.hpp"
#include "storage/emulation/sidecar_layer.hpp"
#include "storage/emulation/stripes.hpp"
#include "storage/functions.hpp"

namespace omnistore {

/// The layers that give a store what its driver lacks. Each is stacked only if the driver lacks it; for a driver that
/// can do everything there is none.
///
/// The order, from the driver up. Parts of values, parts of listings, listings and clears need only the driver's own
/// functions. Sidecars come above them: a listing's meta gets its expiry there. Conditions come above sidecars, since a
/// value that has expired is absent. Streams are gathered before any lock is held. Roundings come above sidecars, which
/// keep the rounded expiry.
class EmulationStack {
public:
  /// `driver` has the functions of the driver, `traits` are its own, `longest_key` is the longest key that it takes.
  EmulationStack(const Functions &driver, const omnistore_traits &traits, std::uint64_t longest_key,
                 const omnistore_host &host);
  EmulationStack(const EmulationStack &) = delete;
  EmulationStack &operator=(const EmulationStack &) = delete;

  const Functions &top() const { return top_; }
  /// The longest key that a value can have: its sidecar needs a key, too.
  std::uint64_t longest_value_key() const { return longest_value_key_; }
  /// Returns true if every write holds a lock of the host's meanwhile.
  bool locks_writes() const { return locks_writes_; }
  /// Begins the work in the background. The store is ready.
  void start() {
    if (sidecars_) sidecars_->start();
  }
  /// Reports a value that the driver removed by itself.
  void value_removed(std::string_view key) {
    if (sidecars_) sidecars_->value_removed(key);
  }

private:
  Functions top_;
  std::uint64_t longest_value_key_;
  bool locks_writes_ = false;
  std::optional<Stripes> stripes_;
  std::optional<SidecarLayer> sidecars_;
  std::vector<Layer> layers_; ///< the others
};

} // namespace omnistore
