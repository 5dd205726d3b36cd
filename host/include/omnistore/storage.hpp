// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/config.hpp>
#include <omnistore/error.hpp>

namespace omnistore {

namespace loader {
class Registry;
}

class View;

/// The properties of a value besides its bytes.
struct Meta {
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< Unix milliseconds; 0 if unknown
  std::int64_t expiry = 0; ///< Unix milliseconds; 0 if never
  std::string etag;        ///< changes with every write; empty if the driver gives none
  std::string user;        ///< the user's own, byte for byte; empty if there is none or it was not requested
  bool user_known = false; ///< `user` is known: if it is empty, the value has none
};

/// A value with its meta.
struct Entry {
  std::string value;
  Meta meta;
};

/// The condition under which a write takes place.
struct Condition {
  enum class Kind { always, if_absent, if_present, if_match };
  Kind kind = Kind::always;
  std::string etag; ///< for if_match
};

/// On whose behalf operations run. Drivers see it, and may send it on to their backends.
struct Caller {
  std::string_view trace;    ///< a W3C traceparent; any other text is not passed on
  std::string_view identity; ///< the name of a user or token, for logs; empty if unknown
  bool background = false;   ///< a job: no person waits for its operations
};

/// The time limit and the cancellation of an operation. When the time is over, or when the operation is cancelled, a
/// driver that waits gives up, and the operation throws Error(timeout) or Error(cancelled); a write may still take
/// place. If the driver does not notice, the operation returns when the driver does.
struct CallOptions {
  std::chrono::milliseconds timeout{0}; ///< 0 for none
  /// The operation is cancelled when this becomes true. May be null. It must outlive the operation.
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr; ///< null if unknown. It must outlive the operation
};

// The options of each operation. `timeout`, `cancelled` and `caller` mean the same in all of them as in CallOptions.

struct GetOptions {
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;
  bool meta = false;               ///< request the etag too
  bool user = false;               ///< request the user's own meta too. A Reader gets it only if it came with the value
  std::uint64_t most = UINT64_MAX; ///< for get_many: the bytes of all values; one that does not fit is too_large
  /// The time starts again with each piece that a Reader takes; the Reader's own time does not count.
  std::chrono::milliseconds timeout{0};
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

struct SetOptions {
  /// How long the value lives; 0 for ever, and nullopt for the ttl of the mount or the config.
  std::optional<std::chrono::milliseconds> ttl{};
  Condition condition{};
  /// The user's own meta, any bytes up to 1 MiB, stored with the value in one step. If it is empty, the value has none,
  /// and the meta of an older value goes.
  std::string user{};
  /// The time starts again with each piece that a Source gives; the Source's own time does not count.
  std::chrono::milliseconds timeout{0};
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

struct RemoveOptions {
  Condition condition{};
  std::chrono::milliseconds timeout{0};
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

struct MetaOptions {
  bool user = true; ///< request the user's own meta too, which takes longer in some stores
  std::chrono::milliseconds timeout{0};
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

struct ListOptions {
  static constexpr std::uint32_t any_depth = UINT32_MAX;
  std::uint32_t depth = any_depth; ///< keys with at most this many ':' after the base
  std::uint32_t limit = 1000;      ///< keys a page, 1 to 100000
  std::string cursor;              ///< the cursor of the page before; empty at the start
  bool meta = false;
  std::chrono::milliseconds timeout{0}; ///< for this page
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

/// A part that a listing leaves out because its store cannot read it.
struct Skipped {
  std::string base;    ///< a prefix that ends in ':', or one key
  Status status;       ///< the reason: denied, io, ...
  std::string message; ///< the whole message, with operation, key, mount and driver, as an Error has it
  bool operator==(const Skipped &) const = default;
};

/// One step of a listing.
struct Page {
  struct Item {
    std::string key;
    Meta meta; ///< filled in if ListOptions::meta is set
  };
  std::vector<Item> items;      ///< may be fewer than the limit, or none, and still have a next page
  std::string cursor;           ///< where the next page starts; printable and URL-safe; empty at the end
  std::vector<Skipped> skipped; ///< the parts that this page leaves out; a later page does not repeat them
};

struct EntriesOptions {
  std::uint32_t depth = ListOptions::any_depth;
  std::size_t batch = 100; ///< values read at once
};

class KeyRange;
class EntryRange;

/// The result of a set.
struct Stored {
  bool stored = true; ///< false if the condition did not hold, so that nothing was changed
  std::string etag;   ///< the new value's, if it was requested and the driver gives etags
  explicit operator bool() const { return stored; }
};

/// The outcome of one item of a batch.
struct Outcome {
  Status status = Status::ok;
  std::string message; ///< the whole message, like Error::what()
  std::string etag{};  ///< of the value that set_many stored, if it was requested and the driver gives etags
};
struct EntryOutcome : Outcome {
  Entry entry; ///< filled in if status is ok
};
struct SetItem {
  std::string key;
  std::string value;
  SetOptions options; ///< its timeout, `cancelled` and `caller` are ignored: set_many has its own
};

/// A change. Keys are those of the user: with the mountpoint and without prefixes.
struct Event {
  enum class Type { update, remove, resync };
  enum class Cause { none, removed, expired, evicted, cleared };
  Type type;
  Cause cause = Cause::none;
  std::string key;            ///< empty for resync
  std::uint64_t sequence = 0; ///< rises by one with each event of this Storage
  std::uint64_t missed = 0;   ///< of a resync: how many events the watcher lost; 0 if unknown
};

/// Receives a value without a copy in between. It is called on the thread that reads.
class Reader {
public:
  virtual ~Reader() = default;
  /// Announces the value, of which the requested range will follow. meta.size is the size of the whole value, or
  /// UINT64_MAX if it is unknown before the end. Returns room for the bytes, which stays valid until read() returns, or
  /// null to receive them through write().
  virtual char *begin(const Meta &meta) = 0;
  /// Takes the next bytes if begin returned null.
  virtual void write(std::string_view bytes) = 0;

  /// Returns true if it takes bytes that the store lends instead of copies. A store in memory lends long values.
  virtual bool borrows() const { return false; }
  /// Called instead of begin if the reader borrows and the driver needs no room: the bytes are written or lent.
  virtual void begin_without_place(const Meta &meta) { begin(meta); }
  /// Called instead of write, with all the bytes that come. They stay unchanged while `loan` lives, which must not
  /// outlive the Storage. Any thread may destroy it, but not before this function has returned.
  virtual void borrow(std::string_view, std::shared_ptr<const void>) {}
};

/// Supplies a value to set piece by piece, so that a large one need not be in memory. It is called on the thread that
/// sets.
class Source {
public:
  virtual ~Source() = default;
  /// Writes up to `capacity` bytes to `into` and returns their number, which is 0 at the end. May wait. An exception
  /// ends the set, which leaves the old value unchanged and throws the same exception.
  virtual std::size_t read(char *into, std::size_t capacity) = 0;
};

/// The directions in which values can stream: a slow Reader or Source then holds up no other operation, and only one
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
  std::uint64_t store = 0; ///< the number in StorePlace; 0 while it opens
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

/// The store that serves a key, or all keys under a base.
struct StorePlace {
  std::string mountpoint;  ///< of the store that has the key or the base; empty for the root, and if there is no store
  std::uint64_t store = 0; ///< the store's number, which changes when the store is replaced; 0 if there is none
  bool several = false;    ///< more stores lie under the base; `store` changes when one of them is replaced
  bool never_blocks = false; ///< no operation waits for a disk, a network or another process
};

/// The time limits of a change of mounts.
struct ChangeOptions {
  /// How long to wait for another change of the same mountpoints; negative for as long as it takes.
  std::chrono::milliseconds patience = std::chrono::seconds(3);
  /// When to give up the whole change, even if a store has not had its openTimeout by then.
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

/// One store that may be asked for a key, and its result.
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

struct WatchOptions {
  /// At most this many events wait, and at most 4 MiB of them (64 KiB while those of all bases are more than 64 MiB). A
  /// slower watch gets a resync, which says how many events it missed, and then the latest ones.
  std::size_t queue = 1024;
  /// Resumes after the event of this number: reports the events since then if they are still known, else a resync.
  std::optional<std::uint64_t> after = {};
  /// How long events are kept after the watch ends, so that a new watch can resume.
  std::chrono::milliseconds linger{0};
  /// Called if a store cannot report the changes that others make, so that the watch reports only the changes made
  /// through this Storage: "watch (mount shared, driver redis): the changes that others make are not reported: CAUSE".
  /// It is called once for each such store, even for one that is mounted or replaced later. If a store refused the
  /// watch, the next watch tries again. It runs on the threads of the watch's callback, and never while that callback
  /// runs. May be empty.
  std::function<void(const std::string &message)> limited = {};
};

/// A running watch. The destructor ends it and returns after the last callback has returned, or, from inside a
/// callback, at once.
///
/// The callbacks of all watches share a few threads. The callbacks of one watch run one after the other, in the order
/// of the events. A callback may block: other threads then serve the other watches, and only its own watch falls
/// behind.
class Watch {
public:
  class State;
  Watch() = default;
  explicit Watch(std::shared_ptr<State> state);
  Watch(Watch &&) noexcept = default;
  Watch &operator=(Watch &&) noexcept;
  ~Watch();
  /// Returns the number of the last event before the watch began, after which another watch can resume if no event has
  /// come yet.
  std::uint64_t position() const;

private:
  std::shared_ptr<State> state_;
};

/// The key space: the stores that a config mounts, with one set of operations.
///
/// Thread-safe: any member may be called on any thread at the same time, mount and unmount included.
///
/// Keys are normalised as in unstorage: '/' and '\' become ':', runs of ':' become one, and leading and trailing ':'
/// and everything after a '?' are removed. A key that is then empty, longer than 4096 bytes, not UTF-8, or has a
/// segment '.' or '..' is Error(invalid). One that is too long for its store, or with the mount's prefix, is
/// Error(too_large). A base is a key or empty, and means every key that begins with it and a ':'.
///
/// A key `k$` is the user's own meta of the value under `k`, as in unstorage: get, has, meta, set, remove and the
/// batches read and write it. It ends with the value: when that is replaced, removed, expires or is evicted. Without a
/// value, a set of `k$` is Error(not_found). An empty text removes it. It has no ttl (Error(invalid)) and no etag, and
/// takes no condition (Error(unsupported)).
///
/// A miss is a result (nullopt, false), not an exception. A failure is an Error.
class Storage {
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

  std::optional<std::string> get(std::string_view key, const GetOptions &options = {}) const;
  /// The same into a string, whose room is used again. Returns false on a miss.
  bool get(std::string_view key, std::string &into, const GetOptions &options = {}) const;
  std::optional<Entry> entry(std::string_view key, const GetOptions &options = {}) const;
  /// The same into a Reader. Returns false on a miss, without a call of the reader.
  bool read(std::string_view key, Reader &reader, const GetOptions &options = {}) const;

  bool has(std::string_view key, const CallOptions &options = {}) const;
  /// Returns size, times, etag and the user's own meta; nullopt if there is no such key.
  std::optional<Meta> meta(std::string_view key, const MetaOptions &options = {}) const;

  /// Shows the stores that a get of this key calls, and their results. It does that get, for the value's first byte:
  /// the get is counted, and a cache fetches and refreshes as for any reader. The result contains the failures of
  /// stores; Error is thrown only if no open mount has the key. Calls that a layer makes on other threads are not seen.
  Explanation explain(std::string_view key, const CallOptions &options = {}) const;

  /// Stores a value. The result has an etag if `want_etag` is set and the driver gives etags.
  Stored set(std::string_view key, std::string_view value, const SetOptions &options = {}, bool want_etag = false);
  /// The same for `size` bytes from a Source, or for all of them if it is UINT64_MAX. Fewer or more are Error(invalid).
  /// The old value stays until the last byte has come, and if anything fails. For a store that takes no streams
  /// (streams()), the value is first gathered in memory, up to the store's own limit or else 256 MiB; a longer one is
  /// Error(too_large).
  Stored set(std::string_view key, Source &source, std::uint64_t size = UINT64_MAX, const SetOptions &options = {},
             bool want_etag = false);
  /// Removes the key. Returns false if there was none. Throws Error(conflict) if the condition does not hold.
  bool remove(std::string_view key, const RemoveOptions &options = {});
  /// Gives a value another ttl, or 0 for ever. Returns false if there is no such key.
  bool touch(std::string_view key, std::chrono::milliseconds ttl, const CallOptions &options = {});

  /// Each item has its own outcome, in the order of the request: not_found for a miss, conflict if the condition did
  /// not hold. The timeout is that of the whole batch.
  std::vector<EntryOutcome> get_many(std::span<const std::string> keys, const GetOptions &options = {}) const;
  std::vector<Outcome> set_many(std::span<const SetItem> items, const CallOptions &options = {},
                                bool want_etags = false);
  std::vector<Outcome> remove_many(std::span<const std::string> keys, const CallOptions &options = {});

  /// Lists one page of the keys under a base, over all mounts under it.
  Page list(std::string_view base, const ListOptions &options = {}) const;
  /// Returns the keys under a base as a range, which is read as you walk it (ranges.hpp).
  KeyRange keys(std::string_view base = {}, std::uint32_t depth = ListOptions::any_depth) const;
  /// The same with their values, read in batches ahead of the walk.
  EntryRange entries(std::string_view base = {}, const EntriesOptions &options = {}) const;
  /// Removes every key under a base, in all mounts under it, and returns their number. If it fails or its time is up, a
  /// part of them may be gone.
  std::uint64_t clear(std::string_view base = {}, const CallOptions &options = {});

  /// Calls back for every change of one key and of all keys under it, or of all keys if `base` is empty. It reports the
  /// changes made through this Storage, values that expired or were evicted, and the changes that others made if the
  /// driver can report them; the log names drivers that cannot. The calls come one at a time, on a thread of the
  /// Storage's.
  Watch watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options = {});

  /// Returns a view of the keys under a base, or of all keys if it is empty, in which keys are relative to the base.
  /// Include omnistore/view.hpp. Throws Error(invalid) if the base is not valid.
  View prefixed(std::string_view base);

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
  /// Checks the health of all open stores that have a check (the SDK's ext/health.h), and returns those that cannot do
  /// their work. It takes about a second at most: a store that has not responded by then is among them. A result counts
  /// for a second, so that frequent callers cost the backends little.
  std::vector<StoreHealth> unhealthy() const;
  /// Returns true if no operation on this key waits for a disk, a network or another process.
  bool never_blocks(std::string_view key) const;
  /// Returns the place of a key, or of a base. An invalid key has no store and never blocks, since its operation fails
  /// at once.
  StorePlace place(std::string_view key, bool is_base = false) const;
  /// Returns the directions in which values of this key can stream.
  Streams streams(std::string_view key) const;

private:
  friend class View;
  friend class KeyRange;
  friend class EntryRange;
  friend class PulledWatch;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore

#include <omnistore/ranges.hpp>
