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

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "budget.hpp"
#include "entry.hpp"
#include "listing.hpp"
#include "shard.hpp"
#include "sweeper.hpp"

namespace memory {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr uint64_t LARGEST_VALUE = std::numeric_limits<uint32_t>::max() - 8192; // what an Entry's counts can hold

/// From this size on a value is copied while its shard's lock is free.
constexpr uint64_t LARGE = 16 * 1024;

/// From this size on a value is lent to a reader that takes loans, rather than copied.
constexpr uint64_t LENT = 64 * 1024;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_META;
  t.max_value_size = LARGEST_VALUE;
  t.keeps = OMNISTORE_KEEPS_NOTHING;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

uint64_t secret() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

uint64_t most_bytes_in(const omnistore::Options &options) {
  const auto most = static_cast<uint64_t>(options.integer("maxBytes", 0));
  const uint64_t least = cost(1, 0);
  if (most != 0 && most <= least)
    throw omnistore::Failure(OMNISTORE_INVALID, "option maxBytes: " + std::to_string(most) +
                                                    " holds no entry; one takes more than " + std::to_string(least));
  return most;
}

class Memory {
public:
  static void validate(const omnistore::Options &options, uint32_t, omnistore::Problems &problems) {
    problems.check([&] { most_bytes_in(options); });
  }

  Memory(const omnistore_host &host, omnistore::Options options, omnistore_traits &traits)
      : host_(host), budget_(static_cast<uint64_t>(options.integer("size", 0)), most_bytes_in(options)),
        shard_bits_(shard_bits(budget_)), shards_(std::make_unique<Shard[]>(shard_count())),
        sweeper_(
            host, [](void *self, omnistore_call *call) { static_cast<Memory *>(self)->sweep(*call); }, this) {
    if (const uint64_t most = budget_.most_bytes(); most != 0)
      traits.max_value_size = std::min(traits.max_value_size, most - cost(1, 0));
    // Versions begin at the time of day, so that no etag comes again after a restart.
    for (Shard &shard : shards()) shard.version = static_cast<uint64_t>(std::max<int64_t>(now(), 1)) << 20;
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
    return set({call, 0}, {key, hash_of(key, seed_)}, request, NOT_READ, result);
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
      Graveyard dead;
      const std::lock_guard guard(shard.lock);
      const size_t slot = find(shard, wanted, time, dead);
      if (slot == Table::NONE) return OMNISTORE_NOT_FOUND;
      const bool renews = request.flags & OMNISTORE_TOUCH_EXPIRY;
      if (renews && request.expiry != 0 && request.expiry <= time) return expire(shard, slot, dead), OMNISTORE_OK;
      Entry *entry = shard.table().at(slot);
      if (request.flags & OMNISTORE_TOUCH_USER) {
        if (const omnistore_status status = fits({call, 0}, key, entry->value_size, request.user.size)) return status;
        entry = put_user(shard, slot, as_view(request.user), dead);
      }
      if (renews) {
        if (request.expiry != 0) shard.timers().reserve();
        entry->expiry = request.expiry;
        shard.timers().update(entry);
      }
      use(*entry);
      version = entry->version;
      if (budget_.bounded()) evict(shard, version, time, dead);
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
  static constexpr int64_t NOT_READ = -1; // the time is read where it is needed

  struct Key {
    std::string_view bytes;
    uint64_t hash;
  };
  struct Write {
    const Key &key;
    std::string_view value, user;
    int64_t expiry, now;
  };
  /// Where an operation's failure is told: the call, and the item where it is one of a batch.
  struct Teller {
    omnistore::Call call;
    uint32_t item;
    omnistore_status fail(omnistore_status status, const std::string &why) const {
      return call.fail(item, status, why);
    }
  };

  // ------------------------------------------------------------------------------------------------------ shards

  /// A small store has one shard: what goes when it is full is then exact.
  static unsigned shard_bits(const Budget &budget) {
    unsigned bits = MOST_SHARD_BITS;
    const auto at_most = [&](uint64_t shards) { bits = std::min(bits, static_cast<unsigned>(std::bit_width(shards))); };
    if (budget.most_entries() != 0) at_most(budget.most_entries() / 1024);
    if (budget.most_bytes() != 0) at_most(budget.most_bytes() >> 20);
    return bits;
  }
  size_t shard_count() const { return size_t{1} << shard_bits_; }
  std::span<Shard> shards() const { return {shards_.get(), shard_count()}; }
  Shard &shard_of(const Key &key) const {
    return shards_[key.hash >> (64 - MOST_SHARD_BITS) >> (MOST_SHARD_BITS - shard_bits_)];
  }

  int64_t now() const { return host_.now(&host_); }

  /// Calls `run(i, key)` for each key, in their order, having asked ahead for the memory that it will touch: look-ups
  /// in a large store wait for little else.
  template <typename Run>
  void each(std::span<const omnistore_bytes> keys, Run run) const {
    constexpr size_t AHEAD = 16;
    std::array<Key, AHEAD> ahead;
    for (size_t begin = 0; begin < keys.size(); begin += AHEAD) {
      const size_t count = std::min(AHEAD, keys.size() - begin);
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
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    const size_t slot = find(shard, wanted, NOT_READ, dead);
    return slot == Table::NONE ? OMNISTORE_NOT_FOUND : begin(*shard.table().at(slot), request, sink, nullptr);
  }

  /// Asks for the memory of the key's entry, and does not wait for it. The shard's lock is held.
  static void fetch(Shard &shard, const Key &key) {
    const char *entry = reinterpret_cast<const char *>(shard.table().guess(key.hash));
    if (!entry) return;
    for (size_t line = 0; line < 4; ++line) __builtin_prefetch(entry + line * 64);
  }

  // ------------------------------------------------------------------------------ one entry, with its shard's lock

  /// The slot of the key's live entry, or Table::NONE; an expired one is removed.
  size_t find(Shard &shard, const Key &key, int64_t time, Graveyard &dead) {
    const size_t slot = shard.table().find(key.hash, key.bytes);
    if (slot == Table::NONE) return slot;
    const Entry *entry = shard.table().at(slot);
    if (entry->expiry == 0 || !entry->expired(time == NOT_READ ? now() : time)) return slot;
    expire(shard, slot, dead);
    return Table::NONE;
  }

  void use(Entry &entry) const {
    if (budget_.bounded() && !entry.touched) entry.touched = true;
  }

  using Text = std::array<char, 16>;
  static std::string_view etag_of(uint64_t version, Text &into) {
    return {into.data(), std::to_chars(into.data(), into.data() + into.size(), version, 36).ptr};
  }

  static omnistore_status check(const Teller &teller, uint32_t condition, omnistore_bytes etag, Shard &shard,
                                size_t slot) {
    const bool live = slot != Table::NONE;
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
      holds = live && etag_of(shard.table().at(slot)->version, text) == as_view(etag);
      break;
    default:
      return teller.fail(OMNISTORE_UNSUPPORTED, "unknown condition " + std::to_string(condition));
    }
    return holds ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }

  static omnistore_status begin(const Entry &entry, const omnistore_get_request &request, omnistore_sink &sink,
                                void **buffer) {
    omnistore_meta meta = omnistore::make_meta(entry.value_size, entry.mtime, entry.expiry);
    Text text;
    if (request.flags & OMNISTORE_GET_META) meta.etag = as_bytes(etag_of(entry.version, text));
    if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, entry.user());
    return sink.begin(&sink, &meta, buffer);
  }

  static omnistore_status send(Entry &entry, const omnistore_get_request &request, omnistore_sink &sink, void *buffer) {
    const std::string_view part = omnistore::part_of({entry.value(), entry.value_size}, request);
    if (part.empty()) return OMNISTORE_OK;
    if (buffer) std::memcpy(buffer, part.data(), part.size());
    return sink.write(&sink, buffer ? buffer : part.data(), part.size());
  }

  /// For set's result. A value that had expired when it was set is not there and has no etag.
  static omnistore_status tell(const Write &write, uint64_t version, omnistore_sink &result) {
    omnistore_meta meta = omnistore::make_meta(write.value.size(), write.now, write.expiry);
    Text text;
    if (version != 0) meta.etag = as_bytes(etag_of(version, text));
    return omnistore::give(result, meta);
  }

  omnistore_status fits(const Teller &teller, std::string_view key, uint64_t value_size, uint64_t user_size) const {
    if (user_size > OMNISTORE_MAX_USER_SIZE)
      return teller.fail(OMNISTORE_TOO_LARGE, "user meta of " + std::to_string(user_size) + " bytes; at most " +
                                                  std::to_string(OMNISTORE_MAX_USER_SIZE) + " are kept");
    if (value_size > LARGEST_VALUE)
      return teller.fail(OMNISTORE_TOO_LARGE, "a value of " + std::to_string(value_size) + " bytes; at most " +
                                                  std::to_string(LARGEST_VALUE) + " are kept");
    const uint64_t most = budget_.most_bytes(), whole = cost(key.size(), value_size + room_of_user(user_size));
    if (most == 0 || whole <= most) return OMNISTORE_OK;
    return teller.fail(OMNISTORE_TOO_LARGE, "key, value and meta would take " + std::to_string(whole) +
                                                " bytes; maxBytes is " + std::to_string(most));
  }

  static OwnedEntry make(const Write &write) {
    OwnedEntry entry = make_entry(write.key.bytes, write.value.size(), write.user);
    fill(*entry, write);
    return entry;
  }
  static void fill(Entry &entry, const Write &write) {
    entry.hash = static_cast<uint32_t>(write.key.hash);
    entry.mtime = write.now;
    entry.expiry = write.expiry;
    entry.value_size = static_cast<uint32_t>(write.value.size());
    if (!write.value.empty()) std::memcpy(entry.value(), write.value.data(), write.value.size());
  }

  /// Whether a value without user meta may be written over the entry's: it has room, and not much too much.
  static bool takes(const Entry &entry, uint64_t value_size) {
    return entry.pins == 0 && !entry.has_user && value_size <= entry.capacity && entry.capacity <= value_size * 2 + 64;
  }

  omnistore_status get(const Key &key, const omnistore_get_request &request, omnistore_sink &sink) {
    Shard &shard = shard_of(key);
    Graveyard dead;
    std::unique_lock guard(shard.lock);
    const size_t slot = find(shard, key, NOT_READ, dead);
    if (slot == Table::NONE) return OMNISTORE_NOT_FOUND;
    Entry *entry = shard.table().at(slot);
    use(*entry);
    if (const std::string_view part = omnistore::part_of({entry->value(), entry->value_size}, request);
        part.size() >= LENT && omnistore::takes_loans(sink) &&
        (entry->pins != UINT8_MAX || shard.loans.contains(entry)))
      return lend(shard, *entry, part, request, sink);
    void *buffer = nullptr;
    if (const omnistore_status status = begin(*entry, request, sink, &buffer)) return status;
    if (entry->value_size < LARGE || entry->pins == UINT8_MAX) return send(*entry, request, sink, buffer);

    ++entry->pins, ++shard.pinned;
    guard.unlock();
    const omnistore_status status = send(*entry, request, sink, buffer);
    guard.lock();
    --shard.pinned;
    if (--entry->pins == 0 && entry->version == 0) dead.bury(entry);
    return status;
  }

  /// The shard's lock is held: sinks of a store that never blocks do not block either.
  omnistore_status lend(Shard &shard, Entry &entry, std::string_view part, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    if (const omnistore_status status = begin(entry, request, sink, nullptr)) return status;
    const auto [loan, is_first] = shard.loans.try_emplace(&entry, 0);
    const omnistore_loan lent{sizeof lent, 0, release_, this, &entry};
    if (const omnistore_status status = sink.lend(&sink, part.data(), part.size(), &lent)) {
      if (is_first) shard.loans.erase(loan);
      return status;
    }
    ++loan->second;
    if (is_first) ++entry.pins, ++shard.pinned;
    return OMNISTORE_OK;
  }
  static void OMNISTORE_CALL release_(void *self, void *item) {
    auto &store = *static_cast<Memory *>(self);
    auto *entry = static_cast<Entry *>(item);
    Shard &shard = store.shard_of({entry->key(), hash_of(entry->key(), store.seed_)});
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    const auto loan = shard.loans.find(entry);
    if (--loan->second != 0) return;
    shard.loans.erase(loan);
    --shard.pinned;
    if (--entry->pins == 0 && entry->version == 0) dead.bury(entry);
  }

  omnistore_status set(const Teller &teller, const Key &key, const omnistore_set_request &request, int64_t time,
                       omnistore_sink *result) {
    if (const omnistore_status status = fits(teller, key.bytes, request.value.size, request.user.size)) return status;
    Shard &shard = shard_of(key);
    const bool is_large = request.value.size >= LARGE;
    if (is_large && time == NOT_READ) time = now();
    Write write{key, as_view(request.value), as_view(request.user), request.expiry, time};
    OwnedEntry prepared = is_large ? make(write) : nullptr;
    Graveyard dead;
    uint64_t version = 0;
    {
      const std::lock_guard guard(shard.lock);
      if (time == NOT_READ) {
        fetch(shard, key); // comes in while the clock is read, which takes as long
        write.now = time = now();
      }
      const size_t slot = find(shard, key, time, dead);
      if (const omnistore_status status = check(teller, request.condition, request.etag, shard, slot)) return status;
      if (write.expiry == 0 || write.expiry > time)
        version = put(shard, slot, write, prepared, dead);
      else if (slot != Table::NONE)
        drop(shard, slot, dead);
    }
    if (budget_.bounded() && budget_.over()) evict_elsewhere(shard, version, time);
    if (version != 0 && write.expiry != 0) sweeper_.schedule(write.expiry, time);
    return result ? tell(write, version, *result) : OMNISTORE_OK;
  }

  /// Stores the value under the key whose slot is given, and makes entries of this shard go where there are too many.
  /// Returns the new version.
  uint64_t put(Shard &shard, size_t slot, const Write &write, OwnedEntry &prepared, Graveyard &dead) {
    Entry *old = slot == Table::NONE ? nullptr : shard.table().at(slot);
    const uint64_t version = shard.version + 1;
    if (old && !prepared && write.user.empty() && takes(*old, write.value.size())) {
      if (write.expiry != 0) shard.timers().reserve();
      fill(*old, write);
      old->version = version;
      use(*old);
      shard.timers().update(old);
    } else {
      OwnedEntry entry = prepared ? std::move(prepared) : make(write);
      entry->version = version;
      entry->touched = old != nullptr;
      const uint64_t before = shard.bytes;
      if (old)
        shard.replace(slot, entry, dead);
      else
        shard.insert(write.key.hash, entry, budget_.bounded());
      if (budget_.bounded()) {
        budget_.add(old ? 0 : 1, shard.bytes - before);
        evict(shard, version, write.now, dead);
      }
    }
    return shard.version = version;
  }

  /// Gives the entry in the slot other user meta: a copy of the entry takes its place. Its version and time stay.
  Entry *put_user(Shard &shard, size_t slot, std::string_view user, Graveyard &dead) {
    Entry &old = *shard.table().at(slot);
    OwnedEntry entry = make_entry(old.key(), old.value_size, user);
    if (old.value_size != 0) std::memcpy(entry->value(), old.value(), old.value_size);
    entry->version = old.version;
    entry->mtime = old.mtime;
    entry->expiry = old.expiry;
    entry->hash = old.hash;
    entry->touched = true;
    const uint64_t before = shard.bytes;
    shard.replace(slot, entry, dead);
    if (budget_.bounded()) budget_.add(0, shard.bytes - before);
    return shard.table().at(slot);
  }

  omnistore_status remove(const Teller &teller, const Key &key, const omnistore_remove_request &request) {
    Shard &shard = shard_of(key);
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    const size_t slot = find(shard, key, NOT_READ, dead);
    if (slot == Table::NONE && request.condition != OMNISTORE_IF_MATCH) return OMNISTORE_NOT_FOUND;
    if (const omnistore_status status = check(teller, request.condition, request.etag, shard, slot)) return status;
    drop(shard, slot, dead);
    return OMNISTORE_OK;
  }

  void drop(Shard &shard, size_t slot, Graveyard &dead) {
    if (budget_.bounded()) budget_.take(1, cost(*shard.table().at(slot)));
    shard.remove(slot, dead);
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
  size_t evict(Shard &shard, uint64_t spared, int64_t time, Graveyard &dead) {
    for (size_t gone = 0;; ++gone) {
      if (!budget_.over()) return gone;
      const bool expired = shard.timers().next() <= time;
      const Entry *victim = expired ? shard.timers().first() : shard.clock().victim(spared);
      if (!victim || !budget_.claim(cost(*victim))) return gone;
      announce(*victim, expired ? OMNISTORE_CAUSE_EXPIRED : OMNISTORE_CAUSE_EVICTED);
      shard.remove(slot_of(shard, *victim), dead);
    }
  }

  /// Where a shard holds nothing but what was just set, others give. No lock is held.
  void evict_elsewhere(const Shard &full, uint64_t spared, int64_t time) {
    const size_t first = next_to_give_++;
    size_t gone = 1;
    while (gone != 0 && budget_.over()) {
      gone = 0;
      for (size_t i = 0; i < shard_count() && budget_.over(); ++i) {
        Shard &shard = shards_[(first + i) % shard_count()];
        Graveyard dead;
        const std::lock_guard guard(shard.lock);
        gone += evict(shard, &shard == &full ? spared : 0, time, dead);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------ expiry

  void expire(Shard &shard, size_t slot, Graveyard &dead) {
    announce(*shard.table().at(slot), OMNISTORE_CAUSE_EXPIRED);
    drop(shard, slot, dead);
  }

  /// Removes what has expired, a slice of a shard at a time.
  void sweep(omnistore_call &call) {
    const int64_t time = now();
    if (!sweeper_.begin(time)) return;
    int64_t next;
    do {
      next = Timers::NEVER;
      for (Shard &shard : shards()) next = std::min(next, sweep(shard, time));
    } while (next <= time && call.remaining(&call) != 0);
    if (next != Timers::NEVER) sweeper_.schedule(next, now());
  }

  /// Returns when the shard's next entry expires.
  int64_t sweep(Shard &shard, int64_t time) {
    constexpr int SLICE = 32;
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    for (int i = 0; i < SLICE && shard.timers().next() <= time; ++i)
      expire(shard, slot_of(shard, *shard.timers().first()), dead);
    return shard.timers().next();
  }

  // ------------------------------------------------------------------------------------------------------- clear

  omnistore_status clear_all(omnistore_page *removed) {
    omnistore_status status = OMNISTORE_OK;
    const int64_t time = now();
    for (Shard &shard : shards()) {
      Parts parts;
      take_all(shard, time, parts);
      if (!removed) continue;
      parts.table.each([&](const Entry *entry) {
        if (status == OMNISTORE_OK) status = removed->emit(removed, as_bytes(entry->key()), nullptr);
      });
    }
    return status;
  }

  /// Empties the shard into `parts`. What had expired at `time` is told as such and not in it, nor what is being read.
  void take_all(Shard &shard, int64_t time, Parts &parts) {
    while (sweep(shard, time) <= time) continue;
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    if (budget_.bounded()) budget_.take(shard.table().count(), shard.bytes);
    if (shard.pinned != 0) release_pinned(shard, dead);
    shard.surrender(parts);
  }

  /// Leaves to their readers the values that are being copied; entries with the same keys and no value stand in.
  void release_pinned(Shard &shard, Graveyard &dead) {
    std::vector<Entry *> pinned;
    shard.table().each([&](Entry *entry) {
      if (entry->pins != 0) pinned.push_back(entry);
    });
    for (Entry *entry : pinned) {
      OwnedEntry stand_in = make_entry(entry->key(), 0);
      shard.replace(slot_of(shard, *entry), stand_in, dead);
    }
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
    return OMNISTORE_OK;
  }

  omnistore_status clear_slice(Shard &shard, std::string_view base, std::string &from, int64_t time,
                               omnistore_page *removed) {
    constexpr int SLICE = 64;
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    for (int i = 0;; ++i) {
      const Entry *entry = shard.index().seek(from).get();
      const bool within = entry && entry->key().starts_with(base);
      from = within ? entry->key() : std::string_view();
      if (!within || i == SLICE) return OMNISTORE_OK;
      const size_t slot = slot_of(shard, *entry);
      if (entry->expired(time)) {
        expire(shard, slot, dead);
        continue;
      }
      drop(shard, slot, dead);
      if (!removed) continue;
      if (const omnistore_status status = removed->emit(removed, as_bytes(from), nullptr)) return status;
    }
  }

  static constexpr unsigned MOST_SHARD_BITS = 6;

  const omnistore_host &host_;
  Budget budget_;
  const unsigned shard_bits_;
  const uint64_t seed_ = secret();
  const std::unique_ptr<Shard[]> shards_;
  std::atomic<size_t> next_to_give_{0}; // the shard that evicts for others
  Sweeper sweeper_;
};

} // namespace
} // namespace memory

OMNISTORE_PLUGIN(omnistore::driver<memory::Memory>("memory", "1.0.0", "Keeps values in the process's memory",
                                                   OMNISTORE_OPTIONS_SCHEMA, memory::TRAITS))
