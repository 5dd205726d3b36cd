// SPDX-License-Identifier: Apache-2.0
// What the operations on keys take and return. Comes with view.hpp and storage.hpp.
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
/// place then. A driver that does not notice continues: the operation returns when the driver does.
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
  std::uint32_t depth = any_depth; ///< keys with at most so many ':' after the base
  std::uint32_t limit = 1000;      ///< keys a page, 1 to 100000
  std::string cursor;              ///< of the page before; empty: from the start
  bool meta = false;
  std::chrono::milliseconds timeout{0}; ///< for this page
  const std::atomic<bool> *cancelled = nullptr;
  const Caller *caller = nullptr;
};

/// A part of a listing that its store cannot read, so that the listing continues without it.
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
    Meta meta; ///< filled in if ListOptions::meta was set
  };
  std::vector<Item> items;      ///< may be fewer than the limit, also none, and still have a next page
  std::string cursor;           ///< for the next page; printable, URL-safe; empty: that was all
  std::vector<Skipped> skipped; ///< what is missing from this page; a later page does not repeat it
};

struct EntriesOptions {
  std::uint32_t depth = ListOptions::any_depth;
  std::size_t batch = 100; ///< values read at once
};

/// The result of a set.
struct Stored {
  bool stored = true; ///< false: the condition did not hold, and nothing was changed
  std::string etag;   ///< of the new value, if it was wanted and the driver gives etags
  explicit operator bool() const { return stored; }
};

/// One item's outcome of a batch.
struct Outcome {
  Status status = Status::ok;
  std::string message; ///< whole, as Error::what()
  std::string etag{};  ///< of the value that set_many stored, if it was asked for and the driver gives them
};
struct EntryOutcome : Outcome {
  Entry entry; ///< if status is ok
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
  /// The value is there. meta.size is the whole value's, UINT64_MAX if it is not known before the end; what lies of
  /// it in the range asked for will follow. Returns where to put it, room for as many bytes that stays valid until
  /// read() returns; or null to have write() called.
  virtual char *begin(const Meta &meta) = 0;
  /// The next bytes, if begin gave no place for them.
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
/// events. A callback may block: others then continue on other threads, and only its own watch falls behind.
class Watch {
public:
  class State;
  Watch() = default;
  explicit Watch(std::shared_ptr<State> state);
  Watch(Watch &&) noexcept = default;
  Watch &operator=(Watch &&) noexcept;
  ~Watch();
  /// The number of the last event before those that this watch reports: resume after it if no event has come yet.
  std::uint64_t position() const;

private:
  std::shared_ptr<State> state_;
};

} // namespace omnistore
