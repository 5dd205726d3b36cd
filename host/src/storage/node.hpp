// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/ext/explain.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>
#include <omnistore/storage.hpp>

#include "base/in_flight.hpp"
#include "storage/contract.hpp"
#include "storage/meter.hpp"
#include "storage/plan.hpp"
#include "storage/sidecar.hpp"
#include "storage/tasks.hpp"

namespace omnistore {

/// The host's shim round a store: counts and times what goes through it, serialises where the driver says so, emulates
/// what the driver lacks, keeps exceptions from crossing, and keeps the driver's plugin loaded. A layer's children are
/// Nodes too, which the layer calls through the table of handle().
///
/// Its functions have the meaning of the driver.h functions of the same name; keys are in normal form. Thread-safe.
class Node {
public:
  /// Opens the store and those below it. Throws Error with the driver's reason. `mount` is for the log. The drivers are
  /// told the deadline; the call takes as long as they do.
  static std::unique_ptr<Node> open(const Plan &plan, const std::shared_ptr<Tasks> &tasks, const std::string &mount,
                                    std::chrono::steady_clock::time_point deadline);
  /// Closes the store and those below it, unless close() did.
  ~Node();
  /// Closes the store and those below it. Takes as long as the drivers do. Nothing may use the node meanwhile, and
  /// afterwards only what reads no store: info(), traits() and the like.
  void close();
  /// How many of its values are lent to readers.
  std::size_t lent() const;
  Node(const Node &) = delete;
  Node &operator=(const Node &) = delete;

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

  /// Tells of removals that the store makes by itself, and of what the driver's own watch tells. Where the driver
  /// refuses, the watch goes on without it, and add_limits() says why.
  omnistore_status watch(omnistore_call *call, const omnistore_watch_request &request, omnistore_watcher *watcher,
                         void **watch);
  void unwatch(void *watch);
  /// Whether such a watch tells of changes made through this node, too.
  bool tells_own(const void *watch) const;
  /// A store, this node's or one below it, whose changes by others are not reported to those who watch.
  struct WatchLimit {
    std::string cause; ///< what the driver said, as a printable text
    bool refused;      ///< the driver may agree when it is asked again
  };
  /// Adds the limits of the watches that run on this node and below it.
  void add_limits(std::vector<WatchLimit> &limits);

  /// The store as a layer above it sees it: every entry filled.
  const omnistore_store &handle() const { return handle_; }
  /// With what the host emulates.
  const omnistore_traits &traits() const { return traits_; }
  /// The longest key that an operation takes, in bytes.
  std::uint64_t longest_key() const { return longest_value_key_; }
  const loader::Driver &driver() const { return *driver_; }
  /// Returns true if no call waits for anything. It becomes false when a driver that says so is found waiting.
  bool never_blocks() const {
    return never_blocks_.load(std::memory_order_relaxed) && !was_slow_.load(std::memory_order_relaxed) &&
           std::all_of(children_.begin(), children_.end(), [](const auto &child) { return child->never_blocks(); });
  }
  /// What may wait for its Reader or Source without a lock of the host's held, and gathers nothing in memory.
  Streams streams() const { return streams_; }
  Meter &meter() { return meter_; }
  StoreInfo info() const;
  /// Without the mountpoint. Of what drivers count it has what they said last.
  MountStats stats();
  const std::vector<std::unique_ptr<Node>> &children() const { return children_; }
  /// Whether a call that base/in_flight.hpp knows is one of this store's, or of those below it.
  bool is_of(const base::CallLabel &label) const;
  class Health;
  /// Adds what asks this store whether it is healthy; if its driver cannot say, that of those below it.
  void collect_health(std::vector<Health *> &all);
  /// Another number for each node of this process.
  std::uint64_t id() const { return id_; }

  /// The turn of whoever asks a driver to report: one at a time, because a driver may never come back from it, and
  /// further threads would hang beside the first. The turn ends on any thread.
  class Turn {
  public:
    using Clock = std::chrono::steady_clock;
    /// Returns false if another turn is not over at this time, or has lasted for longer than report_time.
    bool begin(Clock::time_point until);
    void end();
    /// Returns true when no turn is under way, and false as begin() does.
    bool over(Clock::time_point until);

  private:
    bool await(std::unique_lock<std::mutex> &lock, Clock::time_point until);
    std::mutex mutex_;
    std::condition_variable ended_;
    bool taken_ = false;
    Clock::time_point since_;
  };
  /// For so long a driver's report is waited for.
  static constexpr std::chrono::milliseconds report_time{1000};

  bool explains() const { return explains_ != nullptr; }
  Turn &explaining() { return explaining_; }
  /// Returns what the driver adds about a key (omnistore/ext/explain.h), a JSON object's text; empty: nothing. May take
  /// as long as the driver likes, so it is called on a thread that nobody waits for, as the next function.
  std::string explain(omnistore_bytes key);
  bool counts() const { return counts_ != nullptr; }
  Turn &counting() { return counting_; }
  /// Asks the driver for its counters, for stats().
  void ask_counters();

  /// How many mounts have it, in the table or until their last operation has ended: the last of them closes it.
  std::atomic<unsigned> mounts{0};

private:
  class Host;
  class Label;
  struct UnderWay;
  struct Timer;
  struct Watching;
  class Sweep;
  using Stripe = std::unique_lock<std::timed_mutex>;

  Node();
  static std::uint64_t next_id();
  void prepare();
  void fill_table();
  void tell(const omnistore_event &removal);
  template <typename Ask>
  std::string report(const char *operation, Ask ask);
  /// What the driver counts.
  struct Figures {
    std::vector<std::pair<std::string, std::uint64_t>> counters, gauges;
  };
  Figures figures();

  omnistore_status refuse_key(omnistore_call *call, omnistore_bytes key) const;
  bool keys_fit(const omnistore_bytes *keys, std::uint32_t count) const;

  /// Calls the driver, under the lock that its thread model asks for, and keeps what it throws on this side. A status
  /// that the host does not know becomes OMNISTORE_INTERNAL. `operation` is a literal.
  template <typename Function>
  omnistore_status guarded(omnistore_call *call, const char *operation, Function function);
  omnistore_status driver_get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                              omnistore_sink *sink);
  omnistore_status driver_stat(omnistore_call *call, omnistore_bytes key, std::uint32_t flags, omnistore_sink *sink);
  omnistore_status driver_set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                              omnistore_sink *result);
  omnistore_status driver_stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                    const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                    omnistore_status *statuses);
  omnistore_status driver_set_many(omnistore_call *call, const omnistore_bytes *keys,
                                   std::pair<std::uint32_t, std::uint32_t> place,
                                   const omnistore_set_request *const *requests, omnistore_sink *const *results,
                                   omnistore_status *statuses);
  omnistore_status settle_set(const CheckedSink &checked, omnistore_status status, const omnistore_set_request &request,
                              omnistore_call *call, std::uint32_t item);
  omnistore_status set_here(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                            omnistore_sink *result);
  std::int64_t rounded_expiry(std::int64_t expiry) const;
  omnistore_status driver_remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request &request);
  omnistore_status driver_watch(omnistore_call *call, const omnistore_watch_request &request,
                                omnistore_watcher *watcher, void **watch);
  omnistore_status driver_list(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page);
  omnistore_status driver_clear(omnistore_call *call, const omnistore_clear_request &request, omnistore_page *removed);

  // node_emulation.cpp: for drivers that lack what was asked for
  bool keeps_expiry_of(std::string_view key) const;
  bool keeps_user_of(std::string_view key) const;
  bool is_too_long(omnistore_bytes key) const {
    return key.size > longest_value_key_ &&
           (key.size > longest_key_ || static_cast<const char *>(key.data)[key.size - 1] != '$');
  }
  omnistore_status read_sidecar(omnistore_call *call, std::string_view key, Sidecar &sidecar);
  omnistore_status write_sidecar(omnistore_call *call, std::string_view key, const Sidecar &sidecar,
                                 std::int64_t native_expiry);
  omnistore_status remove_sidecar(omnistore_call *call, std::string_view key);
  omnistore_status kept_expiry(omnistore_call *call, std::string_view key, std::int64_t &expiry);
  omnistore_status live_sidecar(omnistore_call *call, std::string_view key, Sidecar &sidecar);
  void remove_orphan(omnistore_call *call, std::string_view key);
  void remove_expired(omnistore_call *call, std::string_view key);
  Stripe stripe(omnistore_call *call, std::string_view key);
  bool stripes(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count, std::vector<Stripe> &locks);
  omnistore_status emulated_get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                omnistore_sink *sink, bool stat);
  omnistore_status emulated_get_changed(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                        omnistore_bytes etag, omnistore_sink *sink, std::uint32_t &unchanged);
  omnistore_status emulated_set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                omnistore_sink *result);
  omnistore_status set_with_sidecar(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                    std::int64_t expiry, omnistore_sink *result);
  omnistore_status streamed_set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                omnistore_sink *result);
  omnistore_status get_many_with_user(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                      const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                      omnistore_status *statuses);
  std::vector<std::string> sidecars_of(const omnistore_bytes *keys, std::uint32_t count) const;
  omnistore_status remove_sidecars(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count);
  omnistore_status emulated_remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request &request);
  struct Listed;
  omnistore_status emit_with_meta(omnistore_call *call, std::deque<Listed> &listed, omnistore_page *page);
  omnistore_status emulated_list(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page);
  omnistore_status emulated_clear(omnistore_call *call, const omnistore_clear_request &request,
                                  omnistore_page *removed);
  omnistore_status emulated_touch(omnistore_call *call, omnistore_bytes key, const omnistore_touch_request &request);
  omnistore_status check_condition(omnistore_call *call, std::string_view key, std::uint32_t condition,
                                   std::string_view etag);
  bool native_condition(std::uint32_t condition) const;

  const std::uint64_t id_ = next_id();
  // Set when it is opened, and not changed.
  std::shared_ptr<const loader::Driver> driver_;
  std::vector<std::unique_ptr<Node>> children_;
  std::vector<const omnistore_store *> child_handles_;
  std::unique_ptr<Host> host_;
  Faults faults_;
  Loans loans_;
  std::unique_ptr<Label> label_;
  void *self_ = nullptr;
  const omnistore_revalidate *revalidates_ = nullptr; ///< the driver's own
  const omnistore_stats *counts_ = nullptr;           ///< likewise
  Turn counting_, explaining_;
  std::mutex counted_mutex_;                    ///< for counted_
  std::string counted_;                         ///< what the driver told of its counters last
  const omnistore_explain *explains_ = nullptr; ///< likewise
  std::unique_ptr<Health> health_;              ///< if the driver has it
  bool opened_ = false;                         ///< and not closed
  omnistore_traits native_{};                   ///< the driver's, as `open` left them
  omnistore_traits traits_{};                   ///< with what is emulated
  std::atomic<bool> never_blocks_{false};
  std::atomic<bool> was_slow_{false}; ///< a call was found waiting though it never blocks
  bool emulates_ttl_ = false;
  bool emulates_meta_ = false;
  bool rounds_expiry_ = false;          ///< the driver keeps its own expiries, and not any
  bool locks_writes_ = false;           ///< expiries or conditions are emulated: every write holds its key's stripe
  std::uint64_t longest_key_ = 0;       ///< that the driver takes
  std::uint64_t longest_value_key_ = 0; ///< that a value can have, so that what the host keeps of it has a key too
  Streams streams_;
  unsigned time_every_ = 1;
  std::unique_ptr<std::timed_mutex> serial_;                  ///< held round every call of a serialised driver
  std::unique_ptr<std::array<std::timed_mutex, 64>> stripes_; ///< held round writes that are emulated; before serial_
  omnistore_driver table_{};
  omnistore_store handle_{};

  std::atomic<bool> may_expire_{false}; ///< where ttl is emulated: a sidecar with an expiry may be there
  /// Where user meta is emulated: a sidecar with some may be there.
  std::atomic<bool> may_have_user_{false};
  std::unique_ptr<Sweep> sweep_;        ///< where ttl or user meta is emulated
  std::atomic<std::size_t> watched_{0}; ///< how many watchings_ there are
  std::mutex watch_mutex_;              ///< held while a removal is told; behind the driver's own locks
  std::vector<Watching *> watchings_;
  Meter meter_;
};

} // namespace omnistore
