// SPDX-License-Identifier: Apache-2.0
// The `memory` driver: keeps values in the memory of the process, for any number of threads. A key's hash chooses one
// of 64 shards, and each shard has a lock that is held for about a microsecond. README.md says what a store costs.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "entry/entry.hpp"
#include "shard/shard.hpp"
#include "store/listing.hpp"
#include "store/shards.hpp"
#include "store/sweeper.hpp"
#include "store/tidier.hpp"

namespace memory {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr uint64_t max_value_size = std::numeric_limits<uint32_t>::max() - 8192; // what an Entry's counts can hold

/// A value of this size or more is lent to a reader that takes loans, and not copied.
constexpr uint64_t min_loan_size = 64 * 1024;

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_META | OMNISTORE_CAN_LIST_RANGE |
                   OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  t.max_value_size = max_value_size;
  t.keeps = OMNISTORE_KEEPS_NOTHING;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

uint64_t max_bytes_in(const omnistore::Options &options) {
  const auto most = static_cast<uint64_t>(options.integer("maxBytes", 0));
  const uint64_t least = cost({1, 0, 0, true, false});
  if (most != 0 && most <= least)
    throw omnistore::Failure(OMNISTORE_INVALID, "option maxBytes: " + std::to_string(most) +
                                                    " holds no entry; one takes more than " + std::to_string(least));
  return most;
}

class Memory {
public:
  static void validate(const omnistore::Options &options, uint32_t, omnistore::Problems &problems) {
    problems.check([&] { max_bytes_in(options); });
  }

  Memory(const omnistore_host &host, omnistore::Options options, omnistore_traits &traits)
      : shards_(host, static_cast<uint64_t>(options.integer("size", 0)), max_bytes_in(options)), tidier_(host, shards_),
        sweeper_(
            host, [](void *self, omnistore_call *call) { static_cast<Memory *>(self)->sweep(*call); }, this) {
    if (const uint64_t most = budget().max_bytes(); most != 0)
      traits.max_value_size = std::min(traits.max_value_size, most - cost({1, 0, 0, true, false}));
  }

  omnistore_status get(omnistore::Call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    return get(shards_.hashed(key), request, sink);
  }

  omnistore_status stat(omnistore::Call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    return stat(shards_.hashed(key), request, sink);
  }

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    return set({call, 0}, shards_.hashed(key), request, Shards::time_unread, result);
  }

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    return remove({call, 0}, shards_.hashed(key), request);
  }

  omnistore_status get_many(omnistore::Call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    each(keys, [&](uint32_t i, const Key &key) { statuses[i] = get(key, requests[i], *sinks[i]); });
    return OMNISTORE_OK;
  }

  omnistore_status stat_many(omnistore::Call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses) {
    each(keys, [&](uint32_t i, const Key &key) { statuses[i] = stat(key, requests[i], *sinks[i]); });
    return OMNISTORE_OK;
  }

  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    const int64_t time = shards_.now();
    each(keys, [&](uint32_t i, const Key &key) {
      try {
        statuses[i] = set({call, i}, key, requests[i], time, results ? results[i] : nullptr);
      } catch (const std::bad_alloc &) {
        statuses[i] = call.fail(i, OMNISTORE_NO_SPACE, "out of memory");
      }
    });
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    each(keys, [&](uint32_t i, const Key &key) { statuses[i] = remove({call, i}, key, requests[i]); });
    return OMNISTORE_OK;
  }

  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request) {
    const Key wanted = shards_.hashed(key);
    Shard &shard = shards_.of(wanted);
    const int64_t time = shards_.now();
    uint64_t version = 0;
    {
      RetiredEntries retired;
      const std::lock_guard guard(shard.lock);
      const size_t slot = shards_.find(shard, wanted, time, retired);
      if (slot == Table::no_slot) return OMNISTORE_NOT_FOUND;
      const bool renews = request.flags & OMNISTORE_TOUCH_EXPIRY;
      if (renews && request.expiry != 0 && request.expiry <= time)
        return shards_.expire(shard, slot, retired), OMNISTORE_OK;
      Entry *entry = shard.table().at(slot);
      const bool changes = request.flags & OMNISTORE_TOUCH_USER;
      const std::string_view user = changes ? as_view(request.user) : entry->user();
      const int64_t expiry = renews ? request.expiry : entry->expiry();
      if (const omnistore_status status = check_size({call, 0}, key, entry->value_size(), user.size(), expiry))
        return status;
      if (changes || (expiry != 0 && !entry->timed())) {
        entry = shards_.replace_with_copy(shard, slot, user, expiry, retired);
      } else if (entry->timed()) {
        if (expiry != 0) shard.timers().reserve();
        entry->set_expiry(expiry);
        shard.timers().update(entry);
      }
      shards_.use(*entry);
      version = entry->version();
      if (budget().bounded()) shards_.evict(shard, version, time, retired);
    }
    if (budget().bounded() && budget().over()) shards_.evict_elsewhere(shard, version, time);
    if (request.flags & OMNISTORE_TOUCH_EXPIRY && request.expiry != 0) sweeper_.schedule(request.expiry, time);
    return OMNISTORE_OK;
  }

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return Listing(shards_.all(), request, shards_.now()).run(call, page);
  }

  omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    return request.base.size == 0 ? clear_all(removed) : clear_base(call, as_view(request.base), removed);
  }

  /// `keys` includes values that have expired until they leave memory. Only a bounded store counts its bytes.
  std::string stats(omnistore::Call) {
    uint64_t keys = 0;
    for (Shard &shard : shards_.all()) {
      const std::lock_guard guard(shard.lock);
      keys += shard.table().count();
    }
    const std::string bytes =
        budget().bounded() ? "\"bytes\":" + std::to_string(budget().bytes()) + "," : std::string();
    return "{\"gauges\":{" + bytes + "\"keys\":" + std::to_string(keys) + "}}";
  }

private:
  /// Reports the failures of one operation: of a whole call, or of one item of a batch.
  struct ItemFailures {
    omnistore::Call call;
    uint32_t item;
    omnistore_status fail(omnistore_status status, const std::string &why) const {
      return call.fail(item, status, why);
    }
  };

  const Budget &budget() const { return shards_.budget(); }

  /// Calls `run(i, key)` for each key in order. It prefetches the memory that the calls will read, since look-ups in a
  /// large store wait for little else.
  template <typename Run>
  void each(std::span<const omnistore_bytes> keys, Run run) const {
    constexpr size_t lookahead = 16;
    std::array<Key, lookahead> ahead;
    for (size_t begin = 0; begin < keys.size(); begin += lookahead) {
      const size_t count = std::min(lookahead, keys.size() - begin);
      for (size_t i = 0; i < count; ++i) {
        const std::string_view key = as_view(keys[begin + i]);
        ahead[i] = shards_.hashed(key);
        Shard &shard = shards_.of(ahead[i]);
        const std::lock_guard guard(shard.lock);
        __builtin_prefetch(shard.table().home(ahead[i].hash));
      }
      for (size_t i = 0; i < count; ++i) {
        Shard &shard = shards_.of(ahead[i]);
        const std::lock_guard guard(shard.lock);
        shards_.fetch(shard, ahead[i]);
      }
      for (size_t i = 0; i < count; ++i) run(static_cast<uint32_t>(begin + i), ahead[i]);
    }
  }

  omnistore_status stat(const Key &wanted, const omnistore_get_request &request, omnistore_sink &sink) {
    Shard &shard = shards_.of(wanted);
    RetiredEntries retired;
    const std::lock_guard guard(shard.lock);
    const size_t slot = shards_.find(shard, wanted, Shards::time_unread, retired);
    return slot == Table::no_slot ? OMNISTORE_NOT_FOUND : begin(*shard.table().at(slot), request, sink, nullptr);
  }

  // ------------------------------------------------------------------------------ one entry, with its shard's lock

  using Text = std::array<char, 16>;
  static std::string_view etag_of(uint64_t version, Text &into) {
    return {into.data(), std::to_chars(into.data(), into.data() + into.size(), version, 36).ptr};
  }

  static omnistore_status check(const ItemFailures &failures, uint32_t condition, omnistore_bytes etag, Shard &shard,
                                size_t slot) {
    const bool live = slot != Table::no_slot;
    bool holds = false;
    Text text;
    switch (condition) {
    case OMNISTORE_ALWAYS:
      holds = true;
      break;
    case OMNISTORE_IF_ABSENT:
      holds = !live;
      break;
    case OMNISTORE_IF_PRESENT:
      holds = live;
      break;
    case OMNISTORE_IF_MATCH:
      holds = live && etag_of(shard.table().at(slot)->version(), text) == as_view(etag);
      break;
    default:
      return failures.fail(OMNISTORE_UNSUPPORTED, "unknown condition " + std::to_string(condition));
    }
    return holds ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }

  static omnistore_status begin(const Entry &entry, const omnistore_get_request &request, omnistore_sink &sink,
                                void **buffer) {
    omnistore_meta meta = omnistore::make_meta(entry.value_size(), entry.mtime(), entry.expiry());
    Text text;
    if (request.flags & OMNISTORE_GET_META) meta.etag = as_bytes(etag_of(entry.version(), text));
    if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, entry.user());
    return sink.begin(&sink, &meta, buffer);
  }

  static omnistore_status send(std::string_view part, omnistore_sink &sink, void *buffer) {
    if (part.empty()) return OMNISTORE_OK;
    if (buffer) std::memcpy(buffer, part.data(), part.size());
    return sink.write(&sink, buffer ? buffer : part.data(), part.size());
  }

  /// Gives the meta of a value that was set. A value that had expired already when it was set has no etag.
  static omnistore_status give_result(const omnistore_set_request &request, uint64_t version, int64_t time,
                                      omnistore_sink &result) {
    omnistore_meta meta =
        omnistore::make_meta(request.value.size, version != 0 ? Entry::time_of(version) : time, request.expiry);
    Text text;
    if (version != 0) meta.etag = as_bytes(etag_of(version, text));
    return omnistore::give(result, meta);
  }

  omnistore_status check_size(const ItemFailures &failures, std::string_view key, uint64_t value_size,
                              uint64_t user_size, int64_t expiry) const {
    if (user_size > OMNISTORE_MAX_USER_SIZE)
      return failures.fail(OMNISTORE_TOO_LARGE, "user meta of " + std::to_string(user_size) + " bytes; at most " +
                                                    std::to_string(OMNISTORE_MAX_USER_SIZE) + " are kept");
    if (value_size > max_value_size)
      return failures.fail(OMNISTORE_TOO_LARGE, "a value of " + std::to_string(value_size) + " bytes; at most " +
                                                    std::to_string(max_value_size) + " are kept");
    const uint64_t most = budget().max_bytes();
    if (most == 0) return OMNISTORE_OK;
    const uint64_t whole = cost({key.size(), value_size, user_size, true, expiry != 0});
    if (whole <= most) return OMNISTORE_OK;
    return failures.fail(OMNISTORE_TOO_LARGE, "key, value and meta would take " + std::to_string(whole) +
                                                  " bytes; maxBytes is " + std::to_string(most));
  }

  omnistore_status get(const Key &key, const omnistore_get_request &request, omnistore_sink &sink) {
    Shard &shard = shards_.of(key);
    RetiredEntries retired;
    SharedBlock block;
    std::unique_lock guard(shard.lock);
    const size_t slot = shards_.find(shard, key, Shards::time_unread, retired);
    if (slot == Table::no_slot) return OMNISTORE_NOT_FOUND;
    Entry &entry = *shard.table().at(slot);
    shards_.use(entry);
    if (entry.is_long()) {
      entry.block()->share();
      block.reset(entry.block());
    }
    const std::string_view part = omnistore::part_of(entry.value(), request);
    const bool lends = part.size() >= min_loan_size && omnistore::takes_loans(sink);
    void *buffer = nullptr;
    if (const omnistore_status status = begin(entry, request, sink, lends ? nullptr : &buffer)) return status;
    if (block) guard.unlock();
    if (!lends) return send(part, sink, buffer);
    const omnistore_loan loan{sizeof loan, 0, release_, nullptr, block.get()};
    if (const omnistore_status status = sink.lend(&sink, part.data(), part.size(), &loan)) return status;
    static_cast<void>(block.release()); // release_ releases it
    return OMNISTORE_OK;
  }
  static void OMNISTORE_CALL release_(void *, void *item) { static_cast<Block *>(item)->release(); }

  omnistore_status set(const ItemFailures &failures, const Key &key, const omnistore_set_request &request, int64_t time,
                       omnistore_sink *result) {
    if (const omnistore_status status =
            check_size(failures, key.bytes, request.value.size, request.user.size, request.expiry))
      return status;
    Shard &shard = shards_.of(key);
    RetiredEntries retired;
    Content content = Content::of(as_view(request.value), as_view(request.user), request.expiry);
    uint64_t version = 0;
    bool idle = false;
    {
      const std::lock_guard guard(shard.lock);
      if (time == Shards::time_unread) {
        shards_.fetch(shard, key); // the entry arrives while the clock is read, which takes as long
        time = shards_.now();
      }
      const size_t slot = shards_.find(shard, key, time, retired);
      if (const omnistore_status status = check(failures, request.condition, request.etag, shard, slot)) return status;
      if (request.expiry == 0 || request.expiry > time)
        version = shards_.put(shard, slot, key, content, time, retired);
      else if (slot != Table::no_slot)
        shards_.drop(shard, slot, retired);
      idle = shard.idle(shards_.least_worth_returning());
    }
    if (budget().bounded() && budget().over()) shards_.evict_elsewhere(shard, version, time);
    if (version != 0 && request.expiry != 0) sweeper_.schedule(request.expiry, time);
    if (idle) tidier_.tidy_later();
    return result ? give_result(request, version, time, *result) : OMNISTORE_OK;
  }

  omnistore_status remove(const ItemFailures &failures, const Key &key, const omnistore_remove_request &request) {
    Shard &shard = shards_.of(key);
    bool idle = false;
    {
      RetiredEntries retired;
      const std::lock_guard guard(shard.lock);
      const size_t slot = shards_.find(shard, key, Shards::time_unread, retired);
      if (slot == Table::no_slot && request.condition != OMNISTORE_IF_MATCH) return OMNISTORE_NOT_FOUND;
      if (const omnistore_status status = check(failures, request.condition, request.etag, shard, slot)) return status;
      shards_.drop(shard, slot, retired);
      idle = shard.idle(shards_.least_worth_returning());
    }
    if (idle) tidier_.tidy_later();
    return OMNISTORE_OK;
  }

  // ------------------------------------------------------------------------------------------------------ expiry

  /// Removes the entries that have expired, a slice of a shard at a time. The host runs it as a task.
  void sweep(omnistore_call &call) {
    const int64_t time = shards_.now();
    if (!sweeper_.begin(time)) return;
    int64_t next;
    do {
      next = Timers::never;
      for (Shard &shard : shards_.all()) next = std::min(next, shards_.sweep(shard, time));
    } while (next <= time && call.remaining(&call) != 0);
    if (next != Timers::never) sweeper_.schedule(next, shards_.now());
    tidier_.tidy_if_idle();
  }

  // ------------------------------------------------------------------------------------------------------- clear

  omnistore_status clear_all(omnistore_page *removed) {
    omnistore_status status = OMNISTORE_OK;
    const int64_t time = shards_.now();
    uint64_t bytes = 0;
    for (Shard &shard : shards_.all()) {
      ShardContents contents(shards_.seed());
      bytes += shards_.take_contents(shard, time, contents);
      if (!removed) continue;
      contents.table.each([&](const Entry *entry) {
        if (status == OMNISTORE_OK) status = removed->emit(removed, as_bytes(entry->key()), nullptr);
      });
    }
    if (bytes > Shards::worth_returning) tidier_.tidy_later();
    return status;
  }

  omnistore_status clear_base(omnistore::Call call, std::string_view base, omnistore_page *removed) {
    const int64_t time = shards_.now();
    // The next key of each shard; empty: the shard is done.
    std::vector<std::string> from(shards_.count(), std::string(base));
    for (bool more = true; more;) {
      more = false;
      for (size_t i = 0; i < shards_.count(); ++i) {
        if (from[i].empty()) continue;
        if (const omnistore_status status = clear_slice(shards_.all()[i], base, from[i], time, removed)) return status;
        more |= !from[i].empty();
      }
      if (more && call.remaining() == 0) return call.fail(call.late(), "a part of the base was cleared");
    }
    tidier_.tidy_if_idle();
    return OMNISTORE_OK;
  }

  omnistore_status clear_slice(Shard &shard, std::string_view base, std::string &from, int64_t time,
                               omnistore_page *removed) {
    constexpr int slice_size = 64;
    RetiredEntries retired;
    const std::lock_guard guard(shard.lock);
    for (int i = 0;; ++i) {
      const Entry *entry = shard.index().seek(from).get();
      const bool within = entry && entry->key().starts_with(base);
      from = within ? entry->key() : std::string_view();
      if (!within || i == slice_size) return OMNISTORE_OK;
      const size_t slot = shards_.slot_of(shard, *entry);
      if (entry->expired(time)) {
        shards_.expire(shard, slot, retired);
        continue;
      }
      shards_.drop(shard, slot, retired);
      if (!removed) continue;
      if (const omnistore_status status = removed->emit(removed, as_bytes(from), nullptr)) return status;
    }
  }

  Shards shards_;
  Tidier tidier_;
  Sweeper sweeper_;
};

} // namespace
} // namespace memory

OMNISTORE_PLUGIN(omnistore::driver<memory::Memory>("memory", "1.0.0", "Keeps values in the process's memory",
                                                   OMNISTORE_OPTIONS_SCHEMA, memory::driver_traits))
