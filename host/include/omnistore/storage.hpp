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

/// What is known of a value besides its bytes.
struct Meta {
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< Unix milliseconds; 0: unknown
  std::int64_t expiry = 0; ///< Unix milliseconds; 0: never
  std::string etag;        ///< changes with every write; empty: the driver gives none
  std::string user;        ///< the user's own, byte for byte as it was given; empty: none, or not asked for
  bool user_known = false; ///< `user` was asked for and is all there is
};

/// A value with its meta.
struct Entry {
  std::string value;
  Meta meta;
};

/// When a write may take place.
struct Condition {
  enum class Kind { always, if_absent, if_present, if_match };
  Kind kind = Kind::always;
  std::string etag; ///< for if_match
};

/// On whose behalf operations are done. Drivers see it, and may send it on to their backends.
struct Caller {
  std::string_view trace;    ///< a W3C traceparent; a text that is none is not passed on
  std::string_view identity; ///< the name of a user or token, for logs; empty: unknown
  bool background = false;   ///< a job: nobody waits for its operations in person
};

/// How long an operation may take, and who may call it off. At the end of its time, and once it is called off, a
/// driver that waits gives up, and the operation throws Error(timeout) or Error(cancelled); a write may still take
/// place then. What a driver does not notice goes on: the operation returns when the driver does.
struct CallOptions {
  std::chrono::milliseconds timeout{0}; ///< 0: none
  /// The operation is called off while this is true; null: by nobody. It must outlive the operation.
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr; ///< null: nothing is known of it. It must outlive the operation
};

// The options of one operation each: `timeout`, `cancelled` and `caller` mean in all of them what they do in
// CallOptions.

struct GetOptions {
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;
  bool meta = false; ///< the etag is wanted too
  bool user = false; ///< the user's own meta is wanted too. A Reader is given it only if it came with the value
  std::uint64_t most = UINT64_MAX; ///< of get_many: bytes of all values; one that does not fit any more is too_large
  /// It begins anew with each piece that a Reader takes, whose own time is not counted.
  std::chrono::milliseconds timeout{0};
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

struct SetOptions {
  /// How long the value lives: nothing: as the mount or the config says; 0: for ever.
  std::optional<std::chrono::milliseconds> ttl{};
  Condition condition{};
  /// The user's own meta: any bytes, at most 1 MiB. It is stored with the value, in one step; empty: the value has
  /// none, and that of an older value goes.
  std::string user{};
  /// It begins anew with each piece that a Source gives, whose own time is not counted.
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
  bool user = true; ///< the user's own meta is wanted too; for some stores that takes longer
  std::chrono::milliseconds timeout{0};
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

struct ListOptions {
  static constexpr std::uint32_t any_depth = UINT32_MAX;
  std::uint32_t depth = any_depth; ///< keys with at most so many ':' behind the base
  std::uint32_t limit = 1000;      ///< keys a page, 1 to 100000
  std::string cursor;              ///< what the page before gave; empty: from the start
  bool meta = false;
  std::chrono::milliseconds timeout{0}; ///< for this page
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

/// A part of a listing that its store cannot read, so that the listing goes on without it.
struct Skipped {
  std::string base;    ///< a prefix that ends in ':', or one key
  Status status;       ///< why: denied, io, ...
  std::string message; ///< the whole message, with operation, key, mount and driver, as an Error has it
  bool operator==(const Skipped &) const = default;
};

/// One step of a listing.
struct Page {
  struct Item {
    std::string key;
    Meta meta; ///< filled in where ListOptions::meta was set
  };
  std::vector<Item> items;      ///< may be fewer than the limit, also none, and still have a next page
  std::string cursor;           ///< where the next one goes on; printable, URL-safe; empty: that was all
  std::vector<Skipped> skipped; ///< what is missing from this page; a later page does not repeat it
};

struct EntriesOptions {
  std::uint32_t depth = ListOptions::any_depth;
  std::size_t batch = 100; ///< values read at once
};

class KeyRange;
class EntryRange;

/// What a set gave.
struct Stored {
  bool stored = true; ///< false: the condition did not hold, and nothing was changed
  std::string etag;   ///< of the new value, where SetOptions asked and the driver gives them
  explicit operator bool() const { return stored; }
};

/// One item's outcome of a batch.
struct Outcome {
  Status status = Status::ok;
  std::string message; ///< whole, as Error::what()
  std::string etag{};  ///< of the value that set_many stored, if it was asked for and the driver gives them
};
struct EntryOutcome : Outcome {
  Entry entry; ///< where status is ok
};
struct SetItem {
  std::string key;
  std::string value;
  SetOptions options; ///< its timeout, `cancelled` and `caller` are ignored: set_many has its own
};

/// A change. Keys are shown as the user knows them: with the mountpoint, without prefixes.
struct Event {
  enum class Type { update, remove, resync };
  enum class Cause { none, removed, expired, evicted, cleared };
  Type type;
  Cause cause = Cause::none;
  std::string key;            ///< empty for resync
  std::uint64_t sequence = 0; ///< rises by one with each event of this Storage
  std::uint64_t missed = 0;   ///< of a resync: how many the watcher lost; 0: not known
};

/// Where a value is read to, without a copy in between. Called on the reading thread.
class Reader {
public:
  virtual ~Reader() = default;
  /// The value is there. meta.size is the whole value's, UINT64_MAX where it is not known before the end; what lies of
  /// it in the range asked for will follow. Returns where to put it, room for as many bytes that stays valid until
  /// read() returns; or null to have write() called.
  virtual char *begin(const Meta &meta) = 0;
  /// The next bytes, where begin gave no place for them.
  virtual void write(std::string_view bytes) = 0;

  /// Returns true if it takes bytes that the store lends instead of copies. A store in memory lends long values.
  virtual bool borrows() const { return false; }
  /// In place of begin, if the reader borrows and the driver wants no place: the bytes are written or lent.
  virtual void begin_without_place(const Meta &meta) { begin(meta); }
  /// In place of write: all the bytes that come. They stay as they are while `loan` lives, which must not outlive the
  /// Storage; it may go on any thread, but not before this has returned.
  virtual void borrow(std::string_view, std::shared_ptr<const void>) {}
};

/// Where a value to be set comes from, piece by piece, for one that is larger than memory should hold. Called on the
/// setting thread.
class Source {
public:
  virtual ~Source() = default;
  /// Puts up to `capacity` bytes into `into`, and returns how many; 0: that was the end. May wait. What it throws ends
  /// the set, which leaves the old value as it was and throws the same.
  virtual std::size_t read(char *into, std::size_t capacity) = 0;
};

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
  /// What the driver counts beside this (the SDK's ext/stats.h), as a cache its "refreshes".
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  /// How much there is now of what the driver tells (omnistore/ext/stats.h), such as connections in use.
  std::vector<std::pair<std::string, std::uint64_t>> gauges;
  /// The driver did not say within a second what it counts: `counters` are those that it gave last, if there are any.
  bool counters_late = false;
  /// Latency of the operations that were timed (of a driver that never blocks, or a layer over one, one in 64):
  /// how many fell into each bucket.
  struct Histogram {
    std::vector<std::uint64_t> counts; ///< see latency_bounds()
    std::uint64_t count = 0;
    double sum = 0; ///< seconds
    /// The time in seconds that a part of them (0.99) did not exceed, as near as the buckets tell: their bounds lie at
    /// most a factor of 2.5 apart. 0: none were timed.
    double quantile(double part) const;
  };
  Histogram read_latency, write_latency;
  std::vector<MountStats> layers; ///< of the stores below it, in the config's order

  /// Which part of the reads found a value; 0 where there were none.
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

/// What one node of the mount tree is and can do.
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
    passed_over, ///< it has the key, and the layer above wanted another's, as where a copy is too old
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
  std::string prefix;     ///< in front of the key inside the store, with a ':' at its end, or empty
  std::string inside;     ///< the key as the store knows it
  std::int64_t ttl = 0;   ///< of values that are set there without one; milliseconds, 0: never
  bool read_only = false;
  Status status = Status::ok; ///< not_found: no such key
  std::string message;        ///< of a failure, whole
  Meta meta;                  ///< where status is ok
  /// Where the store that answered is in the tree: the child to take at each step; empty: the mount's own store.
  std::vector<std::uint32_t> answered;
  Hop store; ///< the mount's, with those below it
};

struct WatchOptions {
  /// At most so many events wait, and at most 4 MiB of them (64 KiB while those of all bases are more than 64 MiB). A
  /// watch that is slower gets a resync, which says how many it missed, and then the latest ones.
  std::size_t queue = 1024;
  /// Resumes after the event of this number: what came since is reported first if it is still known, else a resync.
  std::optional<std::uint64_t> after = {};
  /// For so long after the watch has ended its events are remembered, for one that resumes.
  std::chrono::milliseconds linger{0};
  /// Is called when a store cannot report the changes that others make, so that the watch reports only the changes made
  /// through this Storage: "watch (mount shared, driver redis): the changes that others make are not reported: CAUSE".
  /// It is called once for each such store, also for one that is mounted or replaced later. A store that refused to be
  /// watched is asked again when another watch of it begins. It runs on the threads of the watch's callback, and never
  /// while that callback runs. May be empty.
  std::function<void(const std::string &message)> limited = {};
};

/// A running watch; destroying it ends it, and returns after the last callback has returned (from inside a callback:
/// at once).
///
/// The callbacks of all watches share a few threads. One watch's callbacks run one after the other, in the order of the
/// events. A callback may block: others then go on with other threads, and only its own watch falls behind.
class Watch {
public:
  class State;
  Watch() = default;
  explicit Watch(std::shared_ptr<State> state);
  Watch(Watch &&) noexcept = default;
  Watch &operator=(Watch &&) noexcept;
  ~Watch();
  /// The number of the last event before those that this watch tells of: what to go on behind before any has come.
  std::uint64_t position() const;

private:
  std::shared_ptr<State> state_;
};

/// The key space: stores mounted by a config, behind one set of operations.
///
/// Thread-safe: any member may be called on any thread at the same time, mount and unmount included.
///
/// Keys are normalised as unstorage does: '/' and '\' become ':', runs of ':' collapse, leading and trailing ':' and
/// what follows a '?' go. A key that is empty then, longer than 4096 bytes, no UTF-8, or has a segment '.' or '..' is
/// Error(invalid); one that is too long for its store, or with the mount's prefix, is Error(too_large). A base is a key
/// or empty; it stands for every key that begins with it and a ':'.
///
/// A key `k$` is the user's own meta of the value under `k`, as in unstorage: get, has, meta, set, remove and the
/// batches read and write it. It ends with the value: when that is replaced, removed, expires or is evicted. There is
/// none without a value: a set of `k$` is then Error(not_found). An empty text removes it. It has no ttl
/// (Error(invalid)) and no etag, and takes no condition (Error(unsupported)).
///
/// A miss is a value (nullopt, false), not an exception. A failure is an Error.
class Storage {
public:
  /// Finds and loads the plugins, opens every mount. Throws ConfigError where the config or an option is wrong, Error
  /// where a plugin or store cannot be opened; nothing stays open then. A mount that the config marks optional is left
  /// out, with the reason in mounts().
  explicit Storage(const Config &config);
  /// The same with plugins that were found already; several storages can share them.
  Storage(const Config &config, std::shared_ptr<loader::Registry> registry);
  /// Ends the watches, waits for operations in flight and closes every store, however long that takes; close() before
  /// it bounds the time.
  ~Storage();
  Storage(Storage &&) noexcept;
  Storage &operator=(Storage &&) noexcept;

  std::optional<std::string> get(std::string_view key, const GetOptions &options = {}) const;
  /// The same into a string whose room is used again. False on a miss.
  bool get(std::string_view key, std::string &into, const GetOptions &options = {}) const;
  std::optional<Entry> entry(std::string_view key, const GetOptions &options = {}) const;
  /// The same into a Reader. False on a miss: the reader was not called.
  bool read(std::string_view key, Reader &reader, const GetOptions &options = {}) const;

  bool has(std::string_view key, const CallOptions &options = {}) const;
  /// Returns size, times, etag and the user's own meta; nullopt if there is no such key.
  std::optional<Meta> meta(std::string_view key, const MetaOptions &options = {}) const;

  /// Which stores a get of this key asks, and what each answers. It does that get, of the value's first byte: it
  /// counts, and a cache fetches and refreshes as for any reader. What fails on the way is in the result; Error only
  /// where no open mount holds the key. What a layer asks on other threads is not seen.
  Explanation explain(std::string_view key, const CallOptions &options = {}) const;

  /// Stores. The result's etag is there where `want_etag` is set and the driver gives them.
  Stored set(std::string_view key, std::string_view value, const SetOptions &options = {}, bool want_etag = false);
  /// The same from a Source, `size` bytes of it; UINT64_MAX: as many as come. Fewer or more are Error(invalid). The
  /// old value stands until the last byte has come, and where anything fails. Of a store that takes no streams (see
  /// streams()) the value is gathered in memory first, up to what the store takes, and never above 256 MiB where the
  /// store states no limit: Error(too_large).
  Stored set(std::string_view key, Source &source, std::uint64_t size = UINT64_MAX, const SetOptions &options = {},
             bool want_etag = false);
  /// Removes the key. False: there was none. Throws Error(conflict) where the condition does not hold.
  bool remove(std::string_view key, const RemoveOptions &options = {});
  /// Gives a value another ttl; 0: for ever. False: there is no such key.
  bool touch(std::string_view key, std::chrono::milliseconds ttl, const CallOptions &options = {});

  /// Each item has its own outcome, in the order asked; a miss is not_found, a condition that did not hold conflict.
  /// The time is the whole batch's.
  std::vector<EntryOutcome> get_many(std::span<const std::string> keys, const GetOptions &options = {}) const;
  std::vector<Outcome> set_many(std::span<const SetItem> items, const CallOptions &options = {},
                                bool want_etags = false);
  std::vector<Outcome> remove_many(std::span<const std::string> keys, const CallOptions &options = {});

  /// One page of the keys under a base, over all mounts that it spans.
  Page list(std::string_view base, const ListOptions &options = {}) const;
  /// The keys under a base, read as one walks them (ranges.hpp).
  KeyRange keys(std::string_view base = {}, std::uint32_t depth = ListOptions::any_depth) const;
  /// The same with their values, read in batches ahead of the walk.
  EntryRange entries(std::string_view base = {}, const EntriesOptions &options = {}) const;
  /// Removes every key under a base; how many. Keys of mounts below it too. Where it fails, or its time is up, a part
  /// of them may be gone.
  std::uint64_t clear(std::string_view base = {}, const CallOptions &options = {});

  /// Calls back for every change of one key, or of all keys under it, or of everything (empty), on a thread of the
  /// Storage's, one at a time: changes made through this Storage, values that expired or were evicted, and what others
  /// changed where the driver can tell. A driver that cannot tell now (as its server is not set up for it) is named in
  /// the log.
  Watch watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options = {});

  /// A view of the keys under a base, which knows them without it; include omnistore/view.hpp. Empty: of all keys.
  /// Throws Error(invalid) where the base cannot be one.
  View prefixed(std::string_view base);

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
  /// What reload would do; opens no store.
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
  /// Whether no operation on this key waits for a disk, a network or another process.
  bool never_blocks(std::string_view key) const;
  /// Returns the place of a key, or of a base. What is no key has no store and never blocks: the operation will say at
  /// once what is wrong with it.
  StorePlace place(std::string_view key, bool is_base = false) const;
  /// Which values of this key may come and go in pieces.
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
