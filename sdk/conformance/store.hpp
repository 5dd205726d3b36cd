// SPDX-License-Identifier: Apache-2.0
//
// store.hpp - a store under test, called through the driver's C table without any emulation. The arguments of each call
// lie in a CallMemory. Every result is checked for the rules that hold for all calls: a sink is begun once and before
// it is written, no more bytes come than were announced, meta and cursors have the form in the header, and failures
// have a message. A broken rule is thrown as Broken.
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
#include "call_memory.hpp"
#include "host.hpp"

namespace omnistore::kit {

/// The meta of a value, as a sink or a page received it.
struct Meta {
  std::uint64_t size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  std::string etag, user;
  bool user_known = false;
};

/// The result of a call.
struct CallResult {
  omnistore_status status = OMNISTORE_INTERNAL;
  std::string message;       ///< the last one that was reported
  std::optional<Meta> meta;  ///< if a sink was begun
  bool nothing_done = false; ///< the last failure says so

  bool ok() const { return status == OMNISTORE_OK; }
  /// Returns the meta. Throws Broken if there is none.
  const Meta &known_meta() const;
};

/// The result of a get.
struct GetResult : CallResult {
  std::string bytes;
  bool lent = false; ///< the bytes were lent and have been released
};

/// The behaviour of a sink.
struct SinkOptions {
  bool buffer = false;                         ///< it offers room for the value
  bool loans = false;                          ///< it takes loans
  omnistore_status begin_fails = OMNISTORE_OK; ///< what begin returns
  omnistore_status write_fails = OMNISTORE_OK; ///< what the first write returns
  std::function<void()> while_lent{};          ///< runs after the get, before the loan is released
};

struct GetOptions {
  std::uint32_t flags = 0; ///< OMNISTORE_GET_...
  std::uint64_t offset = 0, length = UINT64_MAX;
  SinkOptions into{};
};

/// The contents of a source: pieces, and then the end or a failure.
struct Pieces {
  std::vector<std::string> pieces;
  std::uint64_t announced = OMNISTORE_UNKNOWN_SIZE;
  omnistore_status fails = OMNISTORE_OK; ///< follows the last piece instead of the end
};

struct SetOptions {
  std::int64_t expiry = 0;
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string etag{}, user{};
  const Pieces *source = nullptr; ///< instead of the value
  bool wants_meta = false;        ///< pass a sink for the new value's meta
};

struct ListOptions {
  std::uint32_t depth = OMNISTORE_ANY_DEPTH, limit = 1000;
  std::string cursor{};
  bool meta = false;
  omnistore_status emit_fails = OMNISTORE_OK; ///< what the first emit returns
  std::string start{}, end{};
  bool reverse = false, folders = false;
};

struct Page : CallResult {
  std::vector<std::string> keys;     ///< and folders
  std::map<std::string, Meta> metas; ///< of the keys that came with meta
  std::string cursor;                ///< empty at the end
};

struct Change {
  std::uint32_t type = 0, cause = 0;
  std::string key;
};

/// The deadline of a call.
struct Deadline {
  std::int64_t left = INT64_MAX; ///< the result of `remaining`, in milliseconds
  bool cancelled = false;        ///< the result of `cancelled` in the context
};

class Store;

/// A running watch, which keeps the events.
class Watch {
public:
  ~Watch();
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  /// Returns the changes so far, without waiting.
  std::vector<Change> changes() const;
  /// Waits for a change for which `wanted` is true. Returns false if none came in time.
  bool wait(const std::function<bool(const Change &)> &wanted, std::chrono::milliseconds longest) const;
  /// Returns the driver's name of the watch.
  void *handle() const { return watch_; }
  /// Ends the watch and unmaps the watcher's memory, so that a later event faults.
  void end();

private:
  friend class Store;
  struct Face;
  struct State;
  explicit Watch(Store &store) noexcept : store_(&store) {}
  Store *store_;
  std::shared_ptr<State> state_;
  std::unique_ptr<CallMemory> memory_;
  void *watch_ = nullptr;
};

class Store {
public:
  /// Opens a store. `options` is the whole JSON object. Throws Broken with the driver's message if it does not open.
  /// The driver's table and the children must outlive it.
  Store(const omnistore_driver &driver, const std::string &options, std::span<const omnistore_store *const> children);
  /// Closes the store, unless close() did.
  ~Store();
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;
  void close();

  GetResult get(std::string_view key, const GetOptions &how = {});
  GetResult stat(std::string_view key, std::uint32_t flags = 0);
  CallResult set(std::string_view key, std::string_view value, const SetOptions &how = {});
  CallResult remove(std::string_view key, std::uint32_t condition = OMNISTORE_ALWAYS, std::string_view etag = {});
  /// Returns false if the driver states that it cannot list.
  bool lists() const { return !can(OMNISTORE_CANNOT_LIST); }
  /// Throws Skipped if the driver cannot list.
  Page list(std::string_view base, const ListOptions &how = {});
  /// Lists also if the driver cannot.
  Page try_list(std::string_view base, const ListOptions &how = {});
  Page clear(std::string_view base, bool wants_keys = true);
  std::vector<GetResult> get_many(const std::vector<std::string> &keys, const GetOptions &how = {},
                                  std::optional<std::size_t> failing_sink = {}, bool stat = false);
  struct Item {
    std::string key, value;
    SetOptions how{};
  };
  std::vector<CallResult> set_many(const std::vector<Item> &items);
  /// `etags` is empty, or has an etag for each key, which is empty for a removal without a condition.
  std::vector<CallResult> remove_many(const std::vector<std::string> &keys, const std::vector<std::string> &etags = {});
  CallResult touch(std::string_view key, std::optional<std::int64_t> expiry, std::optional<std::string> user = {});
  std::unique_ptr<Watch> watch(std::string_view base);
  const void *extension(const char *id);

  /// Lists every key under the base, in pages of `limit`. Throws Broken if a page fails.
  std::vector<std::string> keys(std::string_view base, std::uint32_t limit = 1000,
                                std::uint32_t depth = OMNISTORE_ANY_DEPTH);
  /// Every name that the listing shows, by pages of its limit, in the order in which they come.
  std::vector<std::string> names(std::string_view base, ListOptions how);

  const omnistore_driver &driver() const { return driver_; }
  const omnistore_traits &traits() const { return traits_; }
  bool can(std::uint64_t capabilities) const { return (traits_.capabilities & capabilities) == capabilities; }
  KitHost &host() { return host_; }
  void *self() const { return self_; }
  /// Sets the deadline of all later calls.
  void limit(Deadline deadline) { deadline_ = deadline; }
  /// Allows later calls to fail without a message, for calls that are meant to be too late.
  void allow_missing_messages() { messages_needed_ = false; }

  /// The structs of later calls, compared with those of this kit's header.
  enum class Structs {
    ours,
    longer,  ///< 16 bytes longer, with contents that the driver cannot know
    shorter, ///< without the last fields: a sink without lend, a set without user meta
  };
  void use_structs(Structs structs) { structs_ = structs; }
  /// Gives later calls a flag and a priority of a later header.
  void use_unknown_values(bool on) { unknown_values_ = on; }
  /// Returns the context of the last call.
  const omnistore_context *last_context() const { return last_context_; }

  /// How long a rule waits for something that must come soon.
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
  bool unknown_values_ = false;
  std::atomic<const omnistore_context *> last_context_ = nullptr;
  std::mutex serial_; // around each function of a serialized store

  class Calling;
  void judge(const char *function, CallResult &done) const;
};

/// Returns the name of a status in the header without the prefix, or the number of an unknown one.
std::string name_of(omnistore_status status);
/// Returns bytes for a report: escaped and shortened.
std::string shown(std::string_view bytes);
/// Returns a result for a report: `OK with 3 bytes "abc"`, `IO (disk on fire)`.
std::string shown(const CallResult &done);
std::string shown(const GetResult &got);

} // namespace omnistore::kit
