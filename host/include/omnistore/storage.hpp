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

/// How values may come and go: a piece at a time, for as long as the other side takes, with no more than a piece in
/// memory and no other operation held up meanwhile.
struct Streams {
  bool reads = false;  ///< into a Reader whose begin() gives no place
  bool writes = false; ///< from a Source
};

/// Counters of one mount's store since it was opened, or of a layer's child.
struct MountStats {
  std::string mountpoint; ///< of a child: empty
  std::string driver;
  std::uint64_t reads = 0, hits = 0, misses = 0, writes = 0, removes = 0, lists = 0, errors = 0;
  std::uint64_t bytes_read = 0, bytes_written = 0, evictions = 0, expirations = 0;
  std::uint64_t driver_faults = 0; ///< what the driver did against its contract: the log says what it was
  std::uint64_t in_flight = 0;     ///< operations under way now; those of stores that never block are not counted
  std::vector<std::pair<Status, std::uint64_t>> errors_by_kind; ///< those that there were
  /// The driver's own counters (the SDK's ext/stats.h), such as "refreshes" of a cache.
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  /// The driver's own amounts (omnistore/ext/stats.h), such as connections in use now.
  std::vector<std::pair<std::string, std::uint64_t>> gauges;
  /// The driver did not say within a second what it counts: `counters` are those that it gave last, if there are any.
  bool counters_late = false;
  /// Latency of the operations that were timed (of a driver that never blocks, or a layer over one, one in 64):
  /// how many fell into each bucket.
  struct Histogram {
    std::vector<std::uint64_t> counts; ///< see latency_bounds()
    std::uint64_t count = 0;
    double sum = 0; ///< seconds
    /// The time in seconds that a part of them (0.99) did not exceed, as near as the buckets show: their bounds lie at
    /// most a factor of 2.5 apart. 0: none were timed.
    double quantile(double part) const;
  };
  Histogram read_latency, write_latency;
  std::vector<MountStats> layers; ///< of the stores below it, in the config's order

  /// The part of the reads that found a value; 0 if there were no reads.
  double hit_rate() const { return reads == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(reads); }
  /// Adds the counters; names, kinds, latencies and layers stay this one's.
  MountStats &operator+=(const MountStats &other);
  /// Seconds, ascending; the last bucket, without a bound, is one more.
  static std::span<const double> latency_bounds();
};

/// A store that cannot do its work now.
struct StoreHealth {
  std::string mountpoint;
  std::string driver;    ///< of the store, or of one below it
  bool optional = false; ///< the mount
  Status status = Status::ok;
  std::string message; ///< the cause, in the backend's words
};

/// One store of the mount tree, and what it can do.
struct StoreInfo {
  std::string driver;
  std::string version;
  std::string file;               ///< the plugin's
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
  bool available = true; ///< false: an optional mount that could not be opened
  std::string reason;    ///< why not
  StoreInfo store;
};

/// A store that was taken out of the mounts and is not closed yet, or one whose opening was given up. No operation that
/// begins now gets to it.
struct DrainingStore {
  enum class State {
    opening, ///< its driver has not returned from open; the store is closed when it does
    in_use,  ///< operations, or watches, that began before are still under way
    closing  ///< its driver has not returned from close
  };
  struct Call {
    std::string operation;         ///< the driver's function: "get"
    std::chrono::milliseconds age; ///< to 50 ms
    bool waits_for_client;         ///< for one that reads a value slowly, or sends one
  };
  std::uint64_t id = 0;    ///< another one for each, from 1 on
  std::uint64_t store = 0; ///< as in StorePlace; 0 while it is opened
  std::string mountpoint, driver;
  State state = State::in_use;
  std::chrono::milliseconds age{0}; ///< since it was taken out, or given up
  std::uint64_t calls = 0;          ///< operations under way
  std::uint64_t readers = 0;        ///< of them those that wait for their client
  std::uint64_t watches = 0;
  std::vector<Call> running; ///< the driver's calls, the oldest first
  /// "2 calls (get for 12.9 s, ...), 1 watch", "its close".
  std::string waits_for() const;
};

/// Which stores the operations on a key, or on all keys under a base, go to.
struct StorePlace {
  std::string mountpoint;    ///< of the store that has the key or the base; "": the root, or none
  std::uint64_t store = 0;   ///< the store's number: it changes when another store takes its place; 0: there is none
  bool several = false;      ///< a base that more stores lie under; `store` changes when one of them is replaced
  bool never_blocks = false; ///< no operation waits for a disk, a network or another process
};

/// How long a change of mounts may take.
struct ChangeOptions {
  /// How long another change of the same mountpoints is waited for; negative: as long as it takes.
  std::chrono::milliseconds patience = std::chrono::seconds(3);
  /// When the whole change is given up, even if a store has not had its openTimeout by then.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

/// What becomes of one mount with another config.
struct MountChange {
  enum class Kind {
    added,
    kept,     ///< its store stays open, with what it holds
    replaced, ///< another store takes its place
    removed,
  };
  Kind kind;
  std::string mountpoint;
  std::string driver; ///< the new one; of a removed mount the old one
  std::string
      details; ///< why it is replaced, or what else is new: "driver memory -> fs", "ttl 1h -> never"; may be empty
  bool changed = false; ///< whether anything is different: false only of mounts that are kept
};

/// One store on a key's way, and what it answered.
struct Hop {
  enum class Outcome {
    not_asked,
    hit,
    miss,
    passed_over, ///< it has the key, and the layer above wanted another's, for example because its copy is too old
    failed
  };
  std::string driver;
  Outcome outcome = Outcome::not_asked;
  std::string message;              ///< of failed: why, in the store's words
  std::uint32_t order = 0;          ///< as which it was asked, from 1 on; 0: it was not
  std::uint32_t asked = 0;          ///< how often
  std::chrono::nanoseconds time{0}; ///< in it and in the stores below it
  /// What its driver adds, as it was before it was asked: a JSON object's text; empty: nothing. Of a cache the state of
  /// its copy (the SDK's ext/explain.h).
  std::string about;
  bool about_late = false;   ///< the driver did not say within a second what it adds
  std::vector<Hop> children; ///< in the config's order
};
/// Where a key leads, and what a get of it met.
struct Explanation {
  std::string key;        ///< in its normal form
  std::string mountpoint; ///< of the mount that holds it
  std::string prefix;     ///< before the key inside the store, with a ':' at its end, or empty
  std::string inside;     ///< the key as the store knows it
  std::int64_t ttl = 0;   ///< of values that are set there without one; milliseconds, 0: never
  bool read_only = false;
  Status status = Status::ok; ///< not_found: no such key
  std::string message;        ///< of a failure, whole
  Meta meta;                  ///< if status is ok
  /// Where the store that answered is in the tree: the child to take at each step; empty: the mount's own store.
  std::vector<std::uint32_t> answered;
  Hop store; ///< the mount's, with those below it
};

/// The key space: stores mounted by a config, behind one set of operations, which are those of View for all keys.
///
/// Thread-safe: any member may be called on any thread at the same time, mount and unmount included.
class Storage : public View {
public:
  /// Finds and loads the plugins, opens every mount. Throws ConfigError if the config or an option is wrong, Error
  /// if a plugin or store cannot be opened; nothing stays open then. A mount that the config marks optional is left
  /// out, with the reason in mounts().
  explicit Storage(const Config &config);
  /// The same with plugins that were found already; several storages can share them.
  Storage(const Config &config, std::shared_ptr<loader::Registry> registry);
  /// Ends the watches, waits for operations in flight and closes every store, however long that takes; close() before
  /// it bounds the time.
  ~Storage();
  Storage(Storage &&) noexcept;
  Storage &operator=(Storage &&) noexcept;

  /// Returns the stores that a get of this key asks, and the answer of each. It does that get, of the value's first
  /// byte: it counts, and a cache fetches and refreshes as for any reader. Failures on the way are in the result; it
  /// throws Error only if no open mount holds the key. Requests that a layer makes on other threads are not seen.
  Explanation explain(std::string_view key, const CallOptions &options = {}) const;

  /// Mounts a store, in place of one that stands there already. New operations go to it at once; those in flight finish
  /// on the old one. Returns when the new store is open and mounted, and does not wait for the old one: that drains and
  /// is closed in the background (draining(), wait_closed()). If the new store cannot be opened nothing changes, and
  /// the Error says why: Error(timeout) if it is not open after the config's openTimeout, Error(unavailable) if another
  /// change of the same mountpoint does not end in time. Changes of other mountpoints do not wait for it. The mount
  /// stays when a config is reloaded that does not name its mountpoint. Returns true if it took another's place.
  bool mount(std::string_view mountpoint, const MountConfig &config, const ChangeOptions &options = {});
  /// Takes a mount out. Returns false if nothing is mounted there. Like mount, it does not wait for the old store: call
  /// wait_closed() for that. Throws Error(unavailable) as mount does.
  bool unmount(std::string_view mountpoint, const ChangeOptions &options = {});

  /// Makes the mounts those of another config, all or nothing: its plugins are looked for anew, and every store that is
  /// new or differs is opened beside the old ones; when all are open new operations go to the new mounts, at once, and
  /// those in flight finish on the old. A mount whose store is the same keeps it, and what it holds. Old stores, and
  /// those that a reload opened that then failed, are closed in the background as with mount(). Throws ConfigError or
  /// Error, and nothing has changed then; a mount that is new and optional may stay unavailable, one that works is not
  /// given up for one that does not open. Each store has the openTimeout of the config that holds. If a change under
  /// way of a mountpoint that either config names does not end in time, it is Error(unavailable). Returns what became
  /// of each mount, by mountpoint. The config's listeners and log are not this class's.
  std::vector<MountChange> reload(const Config &config);
  /// The same with plugins that were looked for already: a Registry that was made with plugins() as the one before.
  std::vector<MountChange> reload(const Config &config, std::shared_ptr<loader::Registry> plugins,
                                  const ChangeOptions &options = {});
  /// Returns the changes that reload would make; opens no store.
  std::vector<MountChange> diff(const Config &config) const;
  /// Stores that are taken out and not closed yet, in the order in which they were taken out.
  std::vector<DrainingStore> draining() const;
  /// Waits until no store that was mounted at this mountpoint drains; false: one still does after `timeout`.
  bool wait_closed(std::string_view mountpoint, std::chrono::milliseconds timeout) const;
  /// The same for every mountpoint.
  bool wait_closed(std::chrono::milliseconds timeout) const;
  /// Ends the watches, takes all mounts out and closes their stores, as far as that is possible within `patience`.
  /// Returns those that are left; it then takes the destructor until they are closed, or the end of the process.
  /// Operations that begin after it are Error(unavailable), changes of mounts too.
  std::vector<DrainingStore> close(std::chrono::milliseconds patience);

  /// The plugins that its drivers come from.
  std::shared_ptr<loader::Registry> plugins() const;

  std::vector<MountInfo> mounts() const;
  /// Returns what was counted, mount by mount. Drivers that do not answer take a second in all: see counters_late.
  std::vector<MountStats> stats() const;
  /// Asks all open stores that can say it whether they can do their work, such as whether their backend answers, and
  /// returns those that cannot. It takes at most about a second: a store that has not answered by then is among them.
  /// An answer counts for a second, so that frequent callers cost the backends little.
  std::vector<StoreHealth> unhealthy() const;
  /// Returns true if no operation on this key waits for a disk, a network or another process.
  bool never_blocks(std::string_view key) const;
  /// Returns the place of a key, or of a base. A text that is no key has no store and never blocks: the operation
  /// will say at once what is wrong with it.
  StorePlace place(std::string_view key, bool is_base = false) const;
  /// Returns the directions in which values of this key may go piece by piece.
  Streams streams(std::string_view key) const;

private:
  explicit Storage(std::unique_ptr<KeySpace> space);
  std::unique_ptr<KeySpace> owned_;
};

} // namespace omnistore
