// SPDX-License-Identifier: Apache-2.0
// The arguments and results of the operations on keys. view.hpp and storage.hpp include this file.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/error.hpp>

namespace omnistore {

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
/// driver that waits returns, and the operation throws Error(timeout) or Error(cancelled); a write may still take
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

  /// Only names that are not less than `start` and are less than `end`. Names are compared whole, with the base, byte
  /// by byte. A bound need not be a key, and has at most 4096 bytes; empty: there is none.
  std::string start, end;
  /// In descending order; `start` stays the lower bound. Throws Error(unsupported) if a store of the listing cannot.
  bool reverse = false;
  /// Shows each folder that has keys below `depth` once, as a key that ends in ':'. A folder has no meta, and is in the
  /// range if its own name is. A mount below the base is a folder too, even if it is empty. With any_depth the flag
  /// changes nothing.
  bool folders = false;
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
  std::string cursor;           ///< the start of the next page; printable and URL-safe; empty at the end
  std::vector<Skipped> skipped; ///< the parts that this page leaves out; a later page does not repeat them
};

struct EntriesOptions {
  std::uint32_t depth = ListOptions::any_depth;
  std::size_t batch = 100; ///< values read at once
};

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

} // namespace omnistore
