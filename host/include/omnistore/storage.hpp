// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/config.hpp>
#include <omnistore/error.hpp>
#include <omnistore/operations.hpp>
#include <omnistore/view.hpp>

namespace omnistore {

namespace loader {
class Registry;
}

/// The directions in which values can stream: a slow Reader or Source then delays no other operation, and only one
/// piece of the value is in memory.
struct Streams {
  bool reads = false;  ///< into a Reader whose begin() returns null
  bool writes = false; ///< from a Source
};

/// Counters of one mount's store since it was opened, or of a layer's child.
struct MountStats {
  std::string mountpoint; ///< empty for a child
  std::string driver;
  std::uint64_t reads = 0, hits = 0, misses = 0, writes = 0, removes = 0, lists = 0, errors = 0;
  std::uint64_t bytes_read = 0, bytes_written = 0, evictions = 0, expirations = 0;
  std::uint64_t driver_faults = 0; ///< violations of the contract by the driver, which the log describes
  std::uint64_t in_flight = 0;     ///< operations in progress; those of stores that never block are not counted
  std::vector<std::pair<Status, std::uint64_t>> errors_by_kind; ///< without kinds that never occurred
  /// Counters of the driver's own (the SDK's ext/stats.h), such as the "refreshes" of a cache.
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  /// Gauges of the driver's own (the SDK's ext/stats.h), such as connections in use.
  std::vector<std::pair<std::string, std::uint64_t>> gauges;
  /// True if the driver did not report its counters within a second: `counters` are then the last ones, if there are
  /// any.
  bool counters_late = false;
  /// The latency of the operations that were timed. For a driver that never blocks, or a layer over one, that is one
  /// operation in 64.
  struct Histogram {
    std::vector<std::uint64_t> counts; ///< operations in each bucket, see latency_bounds()
    std::uint64_t count = 0;
    double sum = 0; ///< seconds
    /// Returns the time in seconds that this part of the operations (such as 0.99) did not exceed, or 0 if none were
    /// timed. It is as exact as the buckets, whose bounds lie at most a factor of 2.5 apart.
    double quantile(double part) const;
  };
  Histogram read_latency, write_latency;
  std::vector<MountStats> layers; ///< the stores below it, in the config's order

  /// Returns the part of the reads that found a value, or 0 if there were no reads.
  double hit_rate() const { return reads == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(reads); }
  /// Adds the counters of `other`. Names, kinds, latencies and layers do not change.
  MountStats &operator+=(const MountStats &other);
  /// Returns the bounds of the buckets in seconds, ascending. One more bucket after them has no bound.
  static std::span<const double> latency_bounds();
};

/// A store that cannot do its work now.
struct StoreHealth {
  std::string mountpoint;
  std::string driver;    ///< the driver of the store, or of one below it
  bool optional = false; ///< the mount is optional
  Status status = Status::ok;
  std::string message; ///< the cause, in the backend's own words
};

/// The driver and the capabilities of one node of the mount tree.
struct StoreInfo {
  std::string driver;
  std::string version;
  std::string file;               ///< the plugin file
  std::uint64_t capabilities = 0; ///< OMNISTORE_CAN_... of driver.h, native
  struct Capability {
    std::string name;
    enum class How { native, emulated, no } how;
  };
  std::vector<Capability> list;
  std::vector<StoreInfo> children;
};
struct MountInfo {
  std::string mountpoint;
  std::string prefix;
  std::int64_t ttl = 0;
  bool read_only = false;
  bool optional = false; ///< the config lets it fail to open
  bool runtime = false;  ///< mounted by mount(), not by the config
  bool available = true; ///< false for an optional mount that could not be opened
  std::string reason;    ///< why it is not available
  StoreInfo store;
};

/// An operation that took longer than the log's `slow`.
struct SlowOperation {
  std::int64_t time;     ///< Unix milliseconds: when it ended
  double milliseconds;   ///< how long it took
  std::string operation; ///< such as "READ HIT"
  std::string key;       ///< for a batch or a listing, what they are about
  std::string mountpoint, driver;
  std::string error; ///< why it failed; empty if it did not
  std::string trace; ///< the W3C traceparent of the request; empty if it had none
};

/// A store that was unmounted and is not closed yet, or one that did not open in time. New operations do not reach it.
struct DrainingStore {
  enum class State {
    opening, ///< its driver has not returned from open; the store is closed when it does
    in_use,  ///< operations or watches that began before are still in progress
    closing  ///< its driver has not returned from close
  };
  struct Call {
    std::string operation;         ///< the driver's function, such as "get"
    std::chrono::milliseconds age; ///< accurate to 50 ms
    bool waits_for_client;         ///< the client reads or sends a value slowly
  };
  std::uint64_t id = 0;    ///< unique, from 1 on
  std::uint64_t store = 0; ///< the number in Route; 0 while it opens
  std::string mountpoint, driver;
  State state = State::in_use;
  std::chrono::milliseconds age{0}; ///< since it was unmounted, or since its opening timed out
  std::uint64_t calls = 0;          ///< operations in progress
  std::uint64_t readers = 0;        ///< those of them that wait for their client
  std::uint64_t watches = 0;
  std::vector<Call> running; ///< the driver's calls, the oldest first
  /// Describes what the store waits for: "2 calls (get for 12.9 s, ...), 1 watch", "its close".
  std::string waits_for() const;
};

/// The way of operations on a key, or on all keys under a base, to a store. It stays true until the mounts change.
struct Route {
  std::string mountpoint;  ///< of the store that has the key or the base; empty for the root, and if there is no store
  std::uint64_t store = 0; ///< the store's number, which changes when the store is replaced; 0 if there is none
  bool several = false;    ///< more stores lie under the base; `store` changes when one of them is replaced
  bool never_blocks = false; ///< no operation waits for a disk, a network or another process
  Streams streams;           ///< of a key: which values can go in pieces
};

/// The time limits of a change of mounts.
struct ChangeOptions {
  /// How long to wait for another change of the same mountpoints; negative for as long as it takes.
  std::chrono::milliseconds patience = std::chrono::seconds(3);
  /// The time at which the whole change fails, even if a store has not had its openTimeout by then.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

/// The change that another config makes to one mount.
struct MountChange {
  enum class Kind {
    added,
    kept,     ///< its store stays open, with what it holds
    replaced, ///< another store takes its place
    removed,
  };
  Kind kind;
  std::string mountpoint;
  std::string driver;   ///< the new one, or the old one of a removed mount
  std::string details;  ///< the differences: "driver memory -> fs", "ttl 1h -> never"; may be empty
  bool changed = false; ///< false if nothing differs, which is so only for kept mounts
};

/// One store on the way of a get, and its result.
struct Hop {
  enum class Outcome {
    not_asked,
    hit,
    miss,
    passed_over, ///< it has the key, but the layer above did not use its value, for example because it is too old
    failed
  };
  std::string driver;
  Outcome outcome = Outcome::not_asked;
  std::string message;              ///< if it failed: the cause, in the store's own words
  std::uint32_t order = 0;          ///< its place in the order of the calls, from 1 on; 0 if it was not called
  std::uint32_t asked = 0;          ///< the number of calls
  std::chrono::nanoseconds time{0}; ///< spent in it and in the stores below it
  /// A JSON object in which the driver describes the key before the get (the SDK's ext/explain.h), such as the state of
  /// a cache's copy; empty if it has nothing to say.
  std::string about;
  bool about_late = false;   ///< the driver did not give `about` within a second
  std::vector<Hop> children; ///< in the config's order
};
/// The way of a key through the stores, and the results of a get along it.
struct Explanation {
  std::string key;        ///< in its normal form
  std::string mountpoint; ///< of the mount that holds it
  std::string prefix;     ///< put before the key inside the store, with a ':' at its end, or empty
  std::string inside;     ///< the key as the store knows it
  std::int64_t ttl = 0;   ///< of values that are set without one, in milliseconds; 0 for ever
  bool read_only = false;
  Status status = Status::ok; ///< not_found if there is no such key
  std::string message;        ///< the whole message of a failure
  Meta meta;                  ///< filled in if status is ok
  /// The store that gave the value, as the index of the child to take at each step down the tree; empty for the mount's
  /// own store.
  std::vector<std::uint32_t> answered;
  Hop store; ///< the mount's store, with those below it
};

/// The key space: the stores that a config mounts, under one set of operations: those of View, for all keys.
///
/// Thread-safe: any member may be called on any thread at the same time, mount and unmount included.
class Storage : public View {
public:
  /// Finds and loads the plugins and opens every mount. Throws ConfigError if the config or an option is wrong, and
  /// Error if a plugin or store cannot be opened; nothing stays open then. An optional mount that does not open is left
  /// out, with the reason in mounts().
  explicit Storage(const Config &config);
  /// The same with plugins that were found before; several storages can share them.
  Storage(const Config &config, std::shared_ptr<loader::Registry> registry);
  /// Ends the watches, waits for operations in flight and closes every store, however long that takes. Call close()
  /// first to limit the time.
  ~Storage();
  Storage(Storage &&) noexcept;
  Storage &operator=(Storage &&) noexcept;

  /// Shows the stores that a get of this key calls, and their results. It does that get, for the value's first byte:
  /// the get is counted, and a cache fetches and refreshes as for any reader. The result contains the failures of
  /// stores; Error is thrown only if no open mount has the key. Calls that a layer makes on other threads are not seen.
  Explanation explain(std::string_view key, const CallOptions &options = {}) const;

  /// Mounts a store, in place of an existing one. New operations go to it at once; those in flight finish on the old
  /// one. Returns when the new store is open and mounted, and does not wait for the old one, which drains and is closed
  /// in the background (draining(), wait_closed()). If the new store cannot be opened, nothing changes, and the Error
  /// says why: Error(timeout) if it is not open after the config's openTimeout, Error(unavailable) if another change of
  /// the same mountpoint does not end in time. Changes of other mountpoints do not wait for it. The mount stays when a
  /// config is reloaded that does not name its mountpoint. Returns true if it replaced another store.
  bool mount(std::string_view mountpoint, const MountConfig &config, const ChangeOptions &options = {});
  /// Takes a mount out. Returns false if nothing is mounted there. Like mount, it does not wait for the old store: call
  /// wait_closed() for that. Throws Error(unavailable) as mount does.
  bool unmount(std::string_view mountpoint, const ChangeOptions &options = {});

  /// Replaces the mounts by those of another config, all or nothing. It looks for the config's plugins again and opens
  /// every new or changed store beside the old ones. When all are open, new operations go to the new mounts at once,
  /// and those in flight finish on the old ones. A mount whose store is the same keeps the store and its contents. Old
  /// stores, and those that a failed reload had opened, are closed in the background as with mount(). If it throws
  /// ConfigError or Error, nothing has changed. A new optional mount may stay unavailable, but a working mount is not
  /// replaced by one that does not open. Each store has the openTimeout of the present config. If another change of a
  /// mountpoint in either config does not end in time, it is Error(unavailable). Returns the change of each mount, by
  /// mountpoint. The listeners and the log of the config are not a matter of this class.
  std::vector<MountChange> reload(const Config &config);
  /// The same with plugins that were found before: a Registry that was made with plugins() as its predecessor.
  std::vector<MountChange> reload(const Config &config, std::shared_ptr<loader::Registry> plugins,
                                  const ChangeOptions &options = {});
  /// Returns the changes that reload would make, and opens no store.
  std::vector<MountChange> diff(const Config &config) const;
  /// Returns the stores that are unmounted and not closed yet, in the order in which they were unmounted.
  std::vector<DrainingStore> draining() const;
  /// Waits until no store that was mounted at this mountpoint drains. Returns false if one still does after `timeout`.
  bool wait_closed(std::string_view mountpoint, std::chrono::milliseconds timeout) const;
  /// The same for every mountpoint.
  bool wait_closed(std::chrono::milliseconds timeout) const;
  /// Ends the watches, unmounts everything and closes the stores, as far as that is possible within `patience`. Returns
  /// the stores that are left, for which the destructor waits. Later operations and changes of mounts are
  /// Error(unavailable).
  std::vector<DrainingStore> close(std::chrono::milliseconds patience);

  /// Returns the plugins of its drivers.
  std::shared_ptr<loader::Registry> plugins() const;

  std::vector<MountInfo> mounts() const;
  /// Returns the counters of each mount. Drivers that do not respond take a second in all (counters_late).
  std::vector<MountStats> stats() const;
  /// Returns the latest operations that were slow, at most 128, the newest first.
  std::vector<SlowOperation> slow() const;
  /// Checks the health of all open stores that have a check (the SDK's ext/health.h), and returns those that cannot do
  /// their work. It takes about a second at most: a store that has not responded by then is among them. A result counts
  /// for a second, so that frequent callers cost the backends little.
  std::vector<StoreHealth> unhealthy() const;
  /// Returns the route of a key, or of a base. An invalid key has no store and never blocks, since its operation fails
  /// at once.
  Route route(std::string_view key, bool is_base = false) const;

private:
  explicit Storage(std::unique_ptr<KeySpace> space);
  std::unique_ptr<KeySpace> owned_;
};

} // namespace omnistore
