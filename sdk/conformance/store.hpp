// SPDX-License-Identifier: Apache-2.0
//
// store.hpp - a store under test, called through the driver's C table, with nothing emulated. Every call gives what it
// hands over in memory of Given, and what comes back is checked for what holds of any call: sinks begun once and before
// they are written, no more bytes than announced, meta and cursors as the header has them, failures with a message.
// What does not hold is thrown as Broken.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>

#include "broken.hpp"
#include "given.hpp"
#include "host.hpp"

namespace omnistore::kit {

/// What was told of a value besides its bytes.
struct Meta {
  std::uint64_t size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  std::string etag, user;
  bool user_known = false;
};

/// What a call came to.
struct Done {
  omnistore_status status = OMNISTORE_INTERNAL;
  std::string message;      ///< the last one that was given
  std::optional<Meta> meta; ///< where a sink was begun

  bool ok() const { return status == OMNISTORE_OK; }
  /// The meta that was told. Throws Broken where none was.
  const Meta &told() const;
};

/// What a get came to.
struct Got : Done {
  std::string bytes;
  bool lent = false; ///< the bytes were lent, and have been given back
};

/// How a sink behaves.
struct Taking {
  bool buffer = false;                         ///< it offers room for the value
  bool loans = false;                          ///< it takes loans
  omnistore_status begin_fails = OMNISTORE_OK; ///< what begin returns
  omnistore_status write_fails = OMNISTORE_OK; ///< what the first write returns
  std::function<void()> while_lent{};          ///< runs after the get, before the loan is given back
};

struct Reading {
  std::uint32_t flags = 0; ///< OMNISTORE_GET_...
  std::uint64_t offset = 0, length = UINT64_MAX;
  Taking into{};
};

/// Where a long value comes from: pieces, and then its end, or a failure.
struct Pieces {
  std::vector<std::string> pieces;
  std::uint64_t announced = OMNISTORE_UNKNOWN_SIZE;
  omnistore_status fails = OMNISTORE_OK; ///< what follows the last piece, in place of the end
};

struct Writing {
  std::int64_t expiry = 0;
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string etag{}, user{};
  const Pieces *source = nullptr; ///< in place of the value
  bool wants_meta = false;        ///< with a sink for the new value's meta
};

struct Listing {
  std::uint32_t depth = OMNISTORE_ANY_DEPTH, limit = 1000;
  std::string cursor{};
  bool meta = false;
  omnistore_status emit_fails = OMNISTORE_OK; ///< what the first emit returns
};

struct Page : Done {
  std::vector<std::string> keys;
  std::map<std::string, Meta> metas; ///< of the keys that came with one
  std::string cursor;                ///< empty: that was all
};

struct Change {
  std::uint32_t type = 0, cause = 0;
  std::string key;
};

/// What a call says of its time.
struct Deadline {
  std::int64_t left = INT64_MAX; ///< milliseconds, what `remaining` answers
  bool cancelled = false;        ///< what the context says
};

class Store;

/// A watch that runs. What it was told is kept.
class Watch {
public:
  ~Watch();
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  /// What came so far, without waiting.
  std::vector<Change> changes() const;
  /// Waits until a change comes for which `wanted` holds; false: none came in time.
  bool wait(const std::function<bool(const Change &)> &wanted, std::chrono::milliseconds longest) const;
  /// Ends it. The watcher's memory is then taken away, so that a later event faults.
  void end();

private:
  friend class Store;
  struct Face;
  struct State;
  explicit Watch(Store &store) noexcept : store_(&store) {}
  Store *store_;
  std::shared_ptr<State> state_;
  std::unique_ptr<Given> given_;
  void *watch_ = nullptr;
};

class Store {
public:
  /// Opens a store. `options` is the whole JSON object. Throws Broken with the driver's message where it does not open.
  /// The driver's table and the children must outlive it.
  Store(const omnistore_driver &driver, const std::string &options, std::span<const omnistore_store *const> children);
  /// Closes it, unless close() did.
  ~Store();
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;
  void close();

  Got get(std::string_view key, const Reading &how = {});
  Got stat(std::string_view key, std::uint32_t flags = 0);
  Done set(std::string_view key, std::string_view value, const Writing &how = {});
  Done remove(std::string_view key, std::uint32_t condition = OMNISTORE_ALWAYS, std::string_view etag = {});
  Page list(std::string_view base, const Listing &how = {});
  Page clear(std::string_view base, bool wants_keys = true);
  std::vector<Got> get_many(const std::vector<std::string> &keys, const Reading &how = {},
                            std::optional<std::size_t> failing_sink = {}, bool stat = false);
  struct Item {
    std::string key, value;
    Writing how{};
  };
  std::vector<Done> set_many(const std::vector<Item> &items);
  /// With a condition for each key that has an etag; empty: none has.
  std::vector<Done> remove_many(const std::vector<std::string> &keys, const std::vector<std::string> &etags = {});
  Done touch(std::string_view key, std::optional<std::int64_t> expiry, std::optional<std::string> user = {});
  std::unique_ptr<Watch> watch(std::string_view base);
  const void *extension(const char *id);

  /// Every key under the base, by pages of `limit`. Throws Broken where a page fails.
  std::vector<std::string> keys(std::string_view base, std::uint32_t limit = 1000,
                                std::uint32_t depth = OMNISTORE_ANY_DEPTH);

  const omnistore_driver &driver() const { return driver_; }
  const omnistore_traits &traits() const { return traits_; }
  bool can(std::uint64_t capabilities) const { return (traits_.capabilities & capabilities) == capabilities; }
  KitHost &host() { return host_; }
  void *self() const { return self_; }
  /// Every later call has this deadline.
  void limit(Deadline deadline) { deadline_ = deadline; }
  /// Later calls may fail without a message; for those that are meant to be too late.
  void need_no_messages() { messages_needed_ = false; }

  /// How the structs that later calls hand over differ from those of this kit's header.
  enum class Structs {
    ours,
    longer,  ///< by 16 bytes, which hold what this driver cannot know
    shorter, ///< without what came last into the header: a sink without lend, a set without user meta
  };
  void hand_over(Structs structs) { structs_ = structs; }
  /// The context of the last call.
  const omnistore_context *last_context() const { return last_context_; }

  /// How long a rule waits for what must come soon.
  static constexpr std::chrono::milliseconds patience{5000};

private:
  friend class Watch;
  const omnistore_driver &driver_;
  omnistore_traits traits_;
  KitHost host_;
  void *self_ = nullptr;
  bool open_ = false;
  Deadline deadline_{};
  bool messages_needed_ = true;
  Structs structs_ = Structs::ours;
  std::atomic<const omnistore_context *> last_context_ = nullptr;
  std::mutex serial_; // around each function of a serialized store

  class Calling;
  void judge(const char *function, Done &done) const;
};

/// The name of a status, as the header has it without the prefix; the number where it has none.
std::string name_of(omnistore_status status);
/// Bytes as they are shown in a report: escaped, and short.
std::string shown(std::string_view bytes);
/// `OK with 3 bytes "abc"`, `IO (disk on fire)`.
std::string shown(const Done &done);
std::string shown(const Got &got);

} // namespace omnistore::kit
