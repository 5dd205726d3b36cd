// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

#include "storage/driver_reports.hpp"
#include "storage/driver_store.hpp"
#include "storage/emulation/stack.hpp"
#include "storage/functions.hpp"
#include "storage/meter.hpp"
#include "storage/operation_timer.hpp"
#include "storage/plan.hpp"
#include "storage/store_watches.hpp"
#include "storage/tasks.hpp"

namespace omnistore {

class HealthReport;

/// An open store with all that the host adds to it: a DriverStore, the layers that emulate what the driver lacks
/// (emulation/stack.hpp), limits on keys and values, counters, watches and a description. A layer's children are Stores
/// too, which the layer calls through the table of handle().
///
/// Its functions have the meaning of the driver.h functions of the same name; keys are in normal form. Thread-safe.
class Store {
public:
  /// Opens the store and those below it. Throws Error with the driver's reason. `mount` is for the log. The drivers are
  /// given the deadline; the call takes as long as they do.
  static std::unique_ptr<Store> open(const Plan &plan, const std::shared_ptr<Tasks> &tasks, const std::string &mount,
                                     std::chrono::steady_clock::time_point deadline);
  /// Closes the store and those below it, unless close() did.
  ~Store();
  /// Closes the store and those below it. Takes as long as the drivers do. Nothing may use the store meanwhile, and
  /// afterwards only its description: info(), traits() and the like.
  void close();
  /// How many of its values are lent to readers.
  std::size_t lent() const;
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;

  omnistore_status get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                       omnistore_sink *sink);
  omnistore_status stat(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                        omnistore_sink *sink);
  omnistore_status set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                       omnistore_sink *result);
  omnistore_status remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request &request);
  omnistore_status list(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page);
  omnistore_status clear(omnistore_call *call, const omnistore_clear_request &request, omnistore_page *removed);
  omnistore_status get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses);
  omnistore_status stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                             const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses);
  /// `results` may be null, and so may any of them.
  omnistore_status set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_set_request *const *requests, omnistore_sink *const *results,
                            omnistore_status *statuses);
  omnistore_status remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                               const omnistore_remove_request *const *requests, omnistore_status *statuses);
  omnistore_status touch(omnistore_call *call, omnistore_bytes key, const omnistore_touch_request &request);
  /// Of omnistore/ext/revalidate.h.
  omnistore_status get_changed(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                               omnistore_bytes etag, omnistore_sink *sink, std::uint32_t &unchanged);

  /// See StoreWatches.
  omnistore_status watch(const omnistore_watch_request &request, omnistore_watcher *watcher, void **watch) {
    return watches_.watch(request, watcher, watch);
  }
  omnistore_status watch_strictly(omnistore_call *call, const omnistore_watch_request &request,
                                  omnistore_watcher *watcher, void **watch) {
    return watches_.watch_strictly(call, request, watcher, watch);
  }
  void unwatch(void *watch) { watches_.unwatch(watch); }
  std::int64_t lag(const void *watch) const { return watches_.lag(watch); }
  bool proves_watches() const { return driver_.proves_watches(); }
  bool reports_own(const void *watch) const { return watches_.reports_own(watch); }
  /// Adds the limits of the watches that run on this store and below it.
  void add_limits(std::vector<WatchLimit> &limits);

  /// The store as a layer above it sees it: every entry filled.
  const omnistore_store &handle() const { return handle_; }
  /// With what the host emulates.
  const omnistore_traits &traits() const { return traits_; }
  /// The longest key that an operation takes, in bytes.
  std::uint64_t longest_key() const { return longest_value_key_; }
  const loader::Driver &driver() const { return driver_.driver(); }
  /// Returns true if no call waits for anything. It becomes false when a driver that says so is found waiting.
  bool never_blocks() const {
    return driver_.label().never_blocks() &&
           std::all_of(children_.begin(), children_.end(), [](const auto &child) { return child->never_blocks(); });
  }
  /// The directions in which values can stream: the host holds no lock and gathers nothing while the peer is slow.
  Streams streams() const { return streams_; }
  Meter &meter() { return meter_; }
  DriverReports &reports() { return reports_; }
  StoreInfo info() const;
  /// Without the mountpoint. The driver's own counters are those that it gave last.
  MountStats stats();
  const std::vector<std::unique_ptr<Store>> &children() const { return children_; }
  /// Returns true if a call that base/in_flight.hpp knows is one of this store's, or of those below it.
  bool is_of(const base::CallLabel &label) const;
  /// Adds the reports of this store's health, or, if its driver has none, those of the stores below it.
  void collect_health(std::vector<HealthReport *> &all);
  /// Another number for each store of this process.
  std::uint64_t id() const { return id_; }

  /// How many mounts have it, in the table or until their last operation has ended: the last of them closes it.
  std::atomic<unsigned> mounts{0};

private:
  Store(const Plan &plan, const std::shared_ptr<Tasks> &tasks, const std::string &mount);
  static std::uint64_t next_id();
  void prepare();
  void fill_table();
  void removed(const omnistore_event &removal);

  OperationTimer timer(Meter::Kind kind) { return OperationTimer(meter_, time_every_, kind); }
  /// A key that ends in `$` is a layer's own, and needs no room for a sidecar.
  bool is_too_long(omnistore_bytes key) const {
    return key.size > longest_value_key_ && (key.size > longest_key_ || !is_sidecar(view(key)));
  }
  omnistore_status refuse_key(omnistore_call *call, omnistore_bytes key) const;
  bool keys_fit(const omnistore_bytes *keys, std::uint32_t count) const;
  bool fits(const omnistore_set_request &request) const;
  omnistore_status refuse_set(omnistore_call *call, const omnistore_set_request &request) const;

  const std::uint64_t id_ = next_id();
  std::vector<std::unique_ptr<Store>> children_;
  std::vector<const omnistore_store *> child_handles_;
  Meter meter_;
  DriverStore driver_;
  StoreWatches watches_;
  DriverReports reports_;
  std::unique_ptr<HealthReport> health_; ///< if the driver has it
  // Set when it is opened, and not changed.
  std::unique_ptr<EmulationStack> stack_;
  std::atomic<EmulationStack *> event_stack_{nullptr}; ///< stack_, for removals: these may come while it is opened
  Functions top_;                                      ///< of the stack
  omnistore_traits traits_{};                          ///< with what is emulated
  std::uint64_t longest_key_ = 0;                      ///< that the driver takes
  std::uint64_t longest_value_key_ = 0;
  std::uint64_t max_value_size_ = UINT64_MAX;
  unsigned time_every_ = 1;
  Streams streams_;
  omnistore_driver table_{};
  omnistore_store handle_{};
};

} // namespace omnistore
