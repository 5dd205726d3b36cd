// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "storage/emulation/sidecars.hpp"
#include "storage/functions.hpp"

namespace omnistore {

class SidecarLayer;

/// Removes expired values whose expiry the host keeps, even if nobody reads them. It remembers the expiries of the
/// values that are set while the store is open, and finds the others by a scan of the store, a page at a time. It works
/// in the background, in short steps. Thread-safe.
class Sweep {
public:
  Sweep(SidecarLayer &layer, const Functions &store, const Sidecars &sidecars, const omnistore_host &host)
      : layer_(layer), store_(store), sidecars_(sidecars), host_(host) {}

  /// Notes the expiry of a value that was set.
  void expires(std::string_view key, std::int64_t expiry);
  /// Notes a value that the driver removed by itself: its sidecar is removed if the key then has no value.
  void orphaned(std::string_view key);
  /// Looks for expiries that are not remembered.
  void scan();

private:
  struct Due {
    std::int64_t expiry;
    std::string key;
    bool operator>(const Due &other) const { return expiry > other.expiry; }
  };
  static void OMNISTORE_CALL run_(void *self, omnistore_call *call);
  void run(omnistore_call *call);
  std::vector<std::string> take_due(std::int64_t now);
  std::vector<std::string> take_orphans();
  bool scanning();
  void scan_page(omnistore_call *call);
  void schedule(std::int64_t delay);

  SidecarLayer &layer_;
  const Functions store_;
  const Sidecars &sidecars_;
  const omnistore_host &host_;
  std::mutex mutex_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<std::string> orphans_;
  std::int64_t wakes_ = INT64_MAX; ///< when the next run is due on the host's clock
  bool scanning_ = false;
  bool missed_ = false; ///< there were more expiries than are remembered: it takes another scan
  std::string cursor_;  ///< of the scan
};

} // namespace omnistore
