// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include <omnistore/driver.h>

#include "storage/driver_store.hpp"

namespace omnistore {

/// A store whose changes by others are not reported to those who watch.
struct WatchLimit {
  std::string cause; ///< what the driver said, as a printable text
  bool refused;      ///< the driver may agree when it is asked again
};

/// The watches of one store. Each is told of the removals that the store makes by itself, and of what the driver's own
/// watch reports. If the driver has no watch or refuses one, a watch runs without it, and add_limits() says why.
/// Thread-safe.
class StoreWatches {
public:
  explicit StoreWatches(DriverStore &store) : store_(store) {}

  omnistore_status watch(const omnistore_watch_request &request, omnistore_watcher *watcher, void **watch);
  /// The same, but fails if the driver does not watch.
  omnistore_status watch_strictly(omnistore_call *call, const omnistore_watch_request &request,
                                  omnistore_watcher *watcher, void **watch);
  void unwatch(void *watch);
  /// Returns the lag of a watch (omnistore/ext/lag.h).
  std::int64_t lag(const void *watch) const;
  /// Returns true if this watch reports the changes made through this host, too.
  bool reports_own(const void *watch) const;
  /// Reports a removal to the watches of its key.
  void report(const omnistore_event &removal);
  void add_limits(std::vector<WatchLimit> &limits);

private:
  struct Entry;
  DriverStore &store_;
  std::atomic<std::size_t> count_{0}; ///< of entries_
  std::mutex mutex_;                  ///< held while a removal is reported; the driver's own locks come before it
  std::vector<Entry *> entries_;
};

} // namespace omnistore
