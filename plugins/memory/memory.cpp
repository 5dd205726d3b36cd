// SPDX-License-Identifier: Apache-2.0
// The `memory` driver: values in the memory of the process, for any number of threads. Keys are dealt out by their hash
// to shards, each with a lock of its own that is held for about a microsecond. README.md tells what a store costs.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <malloc.h>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "entry/entry.hpp"
#include "shard/shard.hpp"
#include "store/budget.hpp"
#include "store/listing.hpp"
#include "store/sweeper.hpp"

namespace memory {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr uint64_t max_value_size = std::numeric_limits<uint32_t>::max() - 8192; // what an Entry's counts can hold

/// From this size on a value is lent to a reader that takes loans, rather than copied.
constexpr uint64_t min_loan_size = 64 * 1024;

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_META;
  t.max_value_size = max_value_size;
  t.keeps = OMNISTORE_KEEPS_NOTHING;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

uint64_t secret() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

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
      : host_(host), budget_(static_cast<uint64_t>(options.integer("size", 0)), max_bytes_in(options)),
        shard_bits_(shard_bits(budget_)),
        heaps_(std::make_unique<Heap[]>((shard_count() + shards_per_heap - 1) / shards_per_heap)),
        shards_(std::make_unique<Shard[]>(shard_count())),
        sweeper_(
            host, [](void *self, omnistore_call *call) { static_cast<Memory *>(self)->sweep(*call); }, this) {
    if (const uint64_t most = budget_.max_bytes(); most != 0)
      traits.max_value_size = std::min(traits.max_value_size, most - cost({1, 0, 0, true, false}));
    for (size_t i = 0; i < shard_count(); ++i) {
      shards_[i].seed(seed_);
      shards_[i].heap = &heaps_[i / shards_per_heap];
    }
  }

  ~Memory() {
    uint64_t bytes = 0;
    for (const Shard &shard : shards()) bytes += shard.bytes;
    shards_.reset();
    if (bytes > worth_returning) trim();
  }

  omnistore_status get(omnistore::Call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    return get({key, hash_of(key, seed_)}, request, sink);
  }

  omnistore_status stat(omnistore::Call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    return stat(Key{key, hash_of(key, seed_)}, request, sink);
  }

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    return set({call, 0}, {key, hash_of(key, seed_)}, request, time_unread, result);
  }

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    return remove({call, 0}, {key, hash_of(key, seed_)}, request);
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
    const int64_t time = now();
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
    const Key wanted{key, hash_of(key, seed_)};
    Shard &shard = shard_of(wanted);
    const int64_t time = now();
    uint64_t version = 0;
    {
      RetiredEntries retired;
      const std::lock_guard guard(shard.lock);
      const size_t slot = find(shard, wanted, time, retired);
      if (slot == Table::no_slot) return OMNISTORE_NOT_FOUND;
      const bool renews = request.flags & OMNISTORE_TOUCH_EXPIRY;
      if (renews && request.expiry != 0 && request.expiry <= time) return expire(shard, slot, retired), OMNISTORE_OK;
      Entry *entry = shard.table().at(slot);
      const bool changes = request.flags & OMNISTORE_TOUCH_USER;
      const std::string_view user = changes ? as_view(request.user) : entry->user();
      const int64_t expiry = renews ? request.expiry : entry->expiry();
      if (const omnistore_status status = check_size({call, 0}, key, entry->value_size(), user.size(), expiry))
        return status;
      if (changes || (expiry != 0 && !entry->timed())) {
        entry = replace_with_copy(shard, slot, user, expiry, retired);
      } else if (entry->timed()) {
        if (expiry != 0) shard.timers().reserve();
        entry->set_expiry(expiry);
        shard.timers().update(entry);
      }
      use(*entry);
      version = entry->version();
      if (budget_.bounded()) evict(shard, version, time, retired);
    }
    if (budget_.bounded() && budget_.over()) evict_elsewhere(shard, version, time);
    if (request.flags & OMNISTORE_TOUCH_EXPIRY && request.expiry != 0) sweeper_.schedule(request.expiry, time);
    return OMNISTORE_OK;
  }

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return Listing(shards(), request, now()).run(call, page);
  }

  omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    return request.base.size == 0 ? clear_all(removed) : clear_base(call, as_view(request.base), removed);
  }

private:
  static constexpr int64_t time_unread = -1; // the time is read where it is needed

  struct Key {
    std::string_view bytes;
    uint64_t hash;
  };
  /// Where an operation's failure is told: the call, and the item where it is one of a batch.
  struct ItemFailures {
    omnistore::Call call;
    uint32_t item;
    omnistore_status fail(omnistore_status status, const std::string &why) const {
      return call.fail(item, status, why);
    }
  };

  // ------------------------------------------------------------------------------------------------------ shards

  /// A small store has one shard: what goes when it is full is then exact.
  static unsigned shard_bits(const Budget &budget) {
    unsigned bits = max_shard_bits;
    const auto at_most = [&](uint64_t shards) { bits = std::min(bits, static_cast<unsigned>(std::bit_width(shards))); };
    if (budget.max_entries() != 0) at_most(budget.max_entries() / 1024);
    if (budget.max_bytes() != 0) at_most(budget.max_bytes() >> 20);
    return bits;
  }
  size_t shard_count() const { return size_t{1} << shard_bits_; }
  std::span<Shard> shards() const { return {shards_.get(), shard_count()}; }
  Shard &shard_of(const Key &key) const {
    return shards_[key.hash >> (64 - max_shard_bits) >> (max_shard_bits - shard_bits_)];
  }

  int64_t now() const { return host_.now(&host_); }

  /// Calls `run(i, key)` for each key, in their order, having asked ahead for the memory that it will touch: look-ups
  /// in a large store wait for little else.
  template <typename Run>
  void each(std::span<const omnistore_bytes> keys, Run run) const {
    constexpr size_t lookahead = 16;
    std::array<Key, lookahead> ahead;
    for (size_t begin = 0; begin < keys.size(); begin += lookahead) {
      const size_t count = std::min(lookahead, keys.size() - begin);
      for (size_t i = 0; i < count; ++i) {
        const std::string_view key = as_view(keys[begin + i]);
        ahead[i] = {key, hash_of(key, seed_)};
        Shard &shard = shard_of(ahead[i]);
        const std::lock_guard guard(shard.lock);
        __builtin_prefetch(shard.table().home(ahead[i].hash));
      }
      for (size_t i = 0; i < count; ++i) {
        Shard &shard = shard_of(ahead[i]);
        const std::lock_guard guard(shard.lock);
        fetch(shard, ahead[i]);
      }
      for (size_t i = 0; i < count; ++i) run(static_cast<uint32_t>(begin + i), ahead[i]);
    }
  }

  omnistore_status stat(const Key &wanted, const omnistore_get_request &request, omnistore_sink &sink) {
    Shard &shard = shard_of(wanted);
    RetiredEntries retired;
    const std::lock_guard guard(shard.lock);
    const size_t slot = find(shard, wanted, time_unread, retired);
    return slot == Table::no_slot ? OMNISTORE_NOT_FOUND : begin(*shard.table().at(slot), request, sink, nullptr);
  }

  /// Asks for the memory of the key's entry, and does not wait for it. The shard's lock is held.
  static void fetch(Shard &shard, const Key &key) {
    if (const Entry *entry = shard.table().likely(key.hash)) entry->fetch();
  }

  // ------------------------------------------------------------------------------ one entry, with its shard's lock

  /// The slot of the key's live entry, or Table::no_slot; an expired one is removed.
  size_t find(Shard &shard, const Key &key, int64_t time, RetiredEntries &retired) {
    const size_t slot = shard.table().find(key.hash, key.bytes);
    if (slot == Table::no_slot) return slot;
    const Entry *entry = shard.table().at(slot);
    if (entry->expiry() == 0 || !entry->expired(time == time_unread ? now() : time)) return slot;
    expire(shard, slot, retired);
    return Table::no_slot;
  }

  void use(Entry &entry) const {
    if (budget_.bounded() && !entry.touched()) entry.touch(true);
  }

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

  /// For set's result. A value that had expired when it was set is not there and has no etag.
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
    const uint64_t most = budget_.max_bytes();
    if (most == 0) return OMNISTORE_OK;
    const uint64_t whole = cost({key.size(), value_size, user_size, true, expiry != 0});
    if (whole <= most) return OMNISTORE_OK;
    return failures.fail(OMNISTORE_TOO_LARGE, "key, value and meta would take " + std::to_string(whole) +
                                                  " bytes; maxBytes is " + std::to_string(most));
  }

  omnistore_status get(const Key &key, const omnistore_get_request &request, omnistore_sink &sink) {
    Shard &shard = shard_of(key);
    RetiredEntries retired;
    SharedBlock block;
    std::unique_lock guard(shard.lock);
    const size_t slot = find(shard, key, time_unread, retired);
    if (slot == Table::no_slot) return OMNISTORE_NOT_FOUND;
    Entry &entry = *shard.table().at(slot);
    use(entry);
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
    static_cast<void>(block.release()); // release_ does it
    return OMNISTORE_OK;
  }
  static void OMNISTORE_CALL release_(void *, void *item) { static_cast<Block *>(item)->release(); }

  omnistore_status set(const ItemFailures &failures, const Key &key, const omnistore_set_request &request, int64_t time,
                       omnistore_sink *result) {
    if (const omnistore_status status =
            check_size(failures, key.bytes, request.value.size, request.user.size, request.expiry))
      return status;
    Shard &shard = shard_of(key);
    RetiredEntries retired;
    Content content = Content::of(as_view(request.value), as_view(request.user), request.expiry);
    uint64_t version = 0;
    bool idle = false;
    {
      const std::lock_guard guard(shard.lock);
      if (time == time_unread) {
        fetch(shard, key); // comes in while the clock is read, which takes as long
        time = now();
      }
      const size_t slot = find(shard, key, time, retired);
      if (const omnistore_status status = check(failures, request.condition, request.etag, shard, slot)) return status;
      if (request.expiry == 0 || request.expiry > time)
        version = put(shard, slot, key, content, time, retired);
      else if (slot != Table::no_slot)
        drop(shard, slot, retired);
      idle = shard.idle(least_worth_returning());
    }
    if (budget_.bounded() && budget_.over()) evict_elsewhere(shard, version, time);
    if (version != 0 && request.expiry != 0) sweeper_.schedule(request.expiry, time);
    if (idle) tidy_later();
    return result ? give_result(request, version, time, *result) : OMNISTORE_OK;
  }

  /// Stores the content under the key whose slot is given, and makes entries of this shard go where there are too many.
  /// Returns the new version. Leaves in `content` a block that is not needed any more.
  uint64_t put(Shard &shard, size_t slot, const Key &key, Content &content, int64_t time, RetiredEntries &retired) {
    Entry *old = slot == Table::no_slot ? nullptr : shard.table().at(slot);
    const uint64_t version = std::max(shard.version + 1, Entry::version_at(time)), before = shard.bytes;
    if (content.expiry != 0) shard.timers().reserve();
    const uint64_t cost = old ? old->cost() : 0;
    if (old && EntryMaker::rewrite(*old, content)) {
      old->set_version(version);
      use(*old);
      shard.timers().update(old);
      shard.bytes += old->cost() - cost;
    } else {
      OwnedEntry entry = EntryMaker::make(*shard.heap, key.bytes, content, budget_.bounded());
      entry->set_version(version);
      entry->touch(old != nullptr);
      if (old)
        shard.replace(slot, entry, retired);
      else
        shard.insert(key.hash, entry);
    }
    if (budget_.bounded()) {
      budget_.add(old ? 0 : 1, shard.bytes - before);
      evict(shard, version, time, retired);
    }
    return shard.version = version;
  }

  /// Puts a copy of the entry in the slot in its place, with other user meta and expiry. Its version and time stay.
  Entry *replace_with_copy(Shard &shard, size_t slot, std::string_view user, int64_t expiry, RetiredEntries &retired) {
    OwnedEntry entry = EntryMaker::copy(*shard.heap, *shard.table().at(slot), user, expiry);
    const uint64_t before = shard.bytes;
    shard.replace(slot, entry, retired);
    if (budget_.bounded()) budget_.add(0, shard.bytes - before);
    return shard.table().at(slot);
  }

  omnistore_status remove(const ItemFailures &failures, const Key &key, const omnistore_remove_request &request) {
    Shard &shard = shard_of(key);
    bool idle = false;
    {
      RetiredEntries retired;
      const std::lock_guard guard(shard.lock);
      const size_t slot = find(shard, key, time_unread, retired);
      if (slot == Table::no_slot && request.condition != OMNISTORE_IF_MATCH) return OMNISTORE_NOT_FOUND;
      if (const omnistore_status status = check(failures, request.condition, request.etag, shard, slot)) return status;
      drop(shard, slot, retired);
      idle = shard.idle(least_worth_returning());
    }
    if (idle) tidy_later();
    return OMNISTORE_OK;
  }

  void drop(Shard &shard, size_t slot, RetiredEntries &retired) {
    if (budget_.bounded()) budget_.take(1, shard.table().at(slot)->cost());
    shard.remove(slot, retired);
  }

  void announce(const Entry &entry, uint32_t cause) const {
    omnistore_event event{};
    event.size = sizeof event;
    event.type = OMNISTORE_EVENT_REMOVE;
    event.cause = cause;
    event.key = as_bytes(entry.key());
    host_.event(&host_, &event);
  }

  size_t slot_of(Shard &shard, const Entry &entry) const {
    return shard.table().find(hash_of(entry.key(), seed_), entry.key());
  }

  // ---------------------------------------------------------------------------------------------------- eviction

  /// Makes entries of the shard go until there are few enough, expired ones first, never the one of version `spared`.
  /// Returns how many went. The shard's lock is held.
  size_t evict(Shard &shard, uint64_t spared, int64_t time, RetiredEntries &retired) {
    for (size_t gone = 0;; ++gone) {
      if (!budget_.over()) return gone;
      const bool expired = shard.timers().next() <= time;
      const Entry *victim = expired ? shard.timers().first() : shard.clock().victim(spared);
      if (!victim || !budget_.claim(victim->cost())) return gone;
      announce(*victim, expired ? OMNISTORE_CAUSE_EXPIRED : OMNISTORE_CAUSE_EVICTED);
      shard.remove(slot_of(shard, *victim), retired);
    }
  }

  /// Where a shard holds nothing but what was just set, others give. No lock is held.
  void evict_elsewhere(const Shard &full, uint64_t spared, int64_t time) {
    const size_t first = next_evicting_++;
    size_t gone = 1;
    while (gone != 0 && budget_.over()) {
      gone = 0;
      for (size_t i = 0; i < shard_count() && budget_.over(); ++i) {
        Shard &shard = shards_[(first + i) % shard_count()];
        RetiredEntries retired;
        const std::lock_guard guard(shard.lock);
        gone += evict(shard, &shard == &full ? spared : 0, time, retired);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------ expiry

  void expire(Shard &shard, size_t slot, RetiredEntries &retired) {
    announce(*shard.table().at(slot), OMNISTORE_CAUSE_EXPIRED);
    drop(shard, slot, retired);
  }

  /// Removes what has expired, a slice of a shard at a time.
  void sweep(omnistore_call &call) {
    const int64_t time = now();
    if (!sweeper_.begin(time)) return;
    int64_t next;
    do {
      next = Timers::never;
      for (Shard &shard : shards()) next = std::min(next, sweep(shard, time));
    } while (next <= time && call.remaining(&call) != 0);
    if (next != Timers::never) sweeper_.schedule(next, now());
    tidy_if_idle();
  }

  /// Returns when the shard's next entry expires.
  int64_t sweep(Shard &shard, int64_t time) {
    constexpr int slice_size = 32;
    RetiredEntries retired;
    const std::lock_guard guard(shard.lock);
    for (int i = 0; i < slice_size && shard.timers().next() <= time; ++i)
      expire(shard, slot_of(shard, *shard.timers().first()), retired);
    return shard.timers().next();
  }

  // ------------------------------------------------------------------------------------------------------- clear

  omnistore_status clear_all(omnistore_page *removed) {
    omnistore_status status = OMNISTORE_OK;
    const int64_t time = now();
    uint64_t bytes = 0;
    for (Shard &shard : shards()) {
      ShardContents parts(seed_);
      bytes += take_contents(shard, time, parts);
      if (!removed) continue;
      parts.table.each([&](const Entry *entry) {
        if (status == OMNISTORE_OK) status = removed->emit(removed, as_bytes(entry->key()), nullptr);
      });
    }
    if (bytes > worth_returning) tidy_later();
    return status;
  }

  /// Empties the shard into `parts`. What had expired at `time` is told as such and not in it. Returns what it took.
  uint64_t take_contents(Shard &shard, int64_t time, ShardContents &parts) {
    while (sweep(shard, time) <= time) continue;
    const std::lock_guard guard(shard.lock);
    const uint64_t bytes = shard.bytes;
    if (budget_.bounded()) budget_.take(shard.table().count(), bytes);
    shard.move_to(parts);
    return bytes;
  }

  omnistore_status clear_base(omnistore::Call call, std::string_view base, omnistore_page *removed) {
    const int64_t time = now();
    std::vector<std::string> from(shard_count(), std::string(base)); // where each shard goes on; empty: it is through
    for (bool more = true; more;) {
      more = false;
      for (size_t i = 0; i < shard_count(); ++i) {
        if (from[i].empty()) continue;
        if (const omnistore_status status = clear_slice(shards_[i], base, from[i], time, removed)) return status;
        more |= !from[i].empty();
      }
      if (more && call.remaining() == 0) return call.fail(call.late(), "a part of the base was cleared");
    }
    tidy_if_idle();
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
      const size_t slot = slot_of(shard, *entry);
      if (entry->expired(time)) {
        expire(shard, slot, retired);
        continue;
      }
      drop(shard, slot, retired);
      if (!removed) continue;
      if (const omnistore_status status = removed->emit(removed, as_bytes(from), nullptr)) return status;
    }
  }

  // ------------------------------------------------------------------------------------------- memory that lies idle

  /// How much must lie idle in a shard before it is given back.
  uint64_t least_worth_returning() const { return worth_returning * 4 >> shard_bits_; }

  void tidy_if_idle() {
    bool idle = false;
    for (Shard &shard : shards()) {
      const std::lock_guard guard(shard.lock);
      idle |= shard.idle(least_worth_returning());
    }
    if (idle) tidy_later();
  }

  /// Has the host call tidy in a second, so that what happens within it is done at once. No lock is held.
  void tidy_later() {
    constexpr uint64_t delay = 1000; // ms
    if (tidy_submitted_.exchange(true)) return;
    const auto run = [](void *self, omnistore_call *call) { static_cast<Memory *>(self)->tidy(*call); };
    if (host_.submit(&host_, run, this, delay, 0) != OMNISTORE_OK)
      tidy_submitted_ = false; // the next removal asks again
  }

  /// Gives memory back that entries left idle: moves what stands in slabs that are mostly empty, and has the process's
  /// allocator return its free pages.
  void tidy(omnistore_call &call) {
    for (size_t i = 0; i < shard_count(); i += shards_per_heap) {
      Heap &heap = heaps_[i / shards_per_heap];
      if (!heap.wasteful()) continue;
      try {
        heap.choose();
        for (size_t s = i; s < std::min(i + shards_per_heap, shard_count()); ++s) move_entries(shards_[s], call);
      } catch (const std::bad_alloc &) {
        // What is not moved stays where it is.
      }
      heap.settle();
      heap.give_back();
    }
    for (Shard &shard : shards()) {
      const std::lock_guard guard(shard.lock);
      shard.freed = 0;
    }
    trim();
    tidy_submitted_ = false;
    tidy_if_idle(); // what was left for want of time, and what was removed meanwhile
  }

  /// Moves the shard's entries that stand in slabs chosen to leave, some buckets at a time.
  void move_entries(Shard &shard, omnistore_call &call) {
    constexpr size_t slice_size = 8; // buckets
    bool more = true;
    for (size_t begin = 0; more && call.remaining(&call) != 0; begin += slice_size) {
      RetiredEntries retired;
      const std::lock_guard guard(shard.lock);
      std::array<Entry *, slice_size * 16> leaving;
      size_t count = 0;
      shard.table().each(begin, begin + slice_size, [&](Entry *entry) {
        if (entry->is_leaving()) leaving[count++] = entry;
      });
      for (Entry *entry : std::span(leaving.data(), count))
        replace_with_copy(shard, slot_of(shard, *entry), entry->user(), entry->expiry(), retired);
      more = begin + slice_size < shard.table().buckets();
    }
  }

  static void trim() {
#if defined(__GLIBC__)
    ::malloc_trim(0);
#endif
  }

  static constexpr unsigned max_shard_bits = 6;
  static constexpr size_t shards_per_heap = 8;                   // shards
  static constexpr uint64_t worth_returning = uint64_t{1} << 20; // bytes: less is not given back

  const omnistore_host &host_;
  Budget budget_;
  const unsigned shard_bits_;
  const uint64_t seed_ = secret();
  const std::unique_ptr<Heap[]> heaps_;
  std::unique_ptr<Shard[]> shards_;
  std::atomic<size_t> next_evicting_{0};    // the shard that evicts for others
  std::atomic<bool> tidy_submitted_{false}; // the host has a task that runs tidy
  Sweeper sweeper_;
};

} // namespace
} // namespace memory

OMNISTORE_PLUGIN(omnistore::driver<memory::Memory>("memory", "1.0.0", "Keeps values in the process's memory",
                                                   OMNISTORE_OPTIONS_SCHEMA, memory::driver_traits))
