// SPDX-License-Identifier: Apache-2.0
// The `memory` driver: values in the memory of the process, for any number of threads. Keys are dealt out by their hash
// to shards, each with a lock of its own that is held for about a microsecond. README.md tells what a store costs.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "entry.hpp"
#include "listing.hpp"
#include "shard.hpp"

namespace memory {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr uint64_t LARGEST_VALUE = std::numeric_limits<uint32_t>::max() - 8192; // what an Entry's counts can hold

/// From this size on a value is copied while its shard's lock is free.
constexpr uint64_t LARGE = 16 * 1024;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META;
  t.max_value_size = LARGEST_VALUE;
  t.keeps = OMNISTORE_KEEPS_NOTHING;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

uint64_t secret() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

class Memory {
public:
  Memory(const omnistore_host &host, omnistore::Options options, omnistore_traits &traits)
      : host_(host), most_entries_(static_cast<uint64_t>(options.integer("size", 0))),
        most_bytes_(static_cast<uint64_t>(options.integer("maxBytes", 0))),
        bounded_(most_entries_ != 0 || most_bytes_ != 0), shard_bits_(shard_bits()),
        shards_(std::make_unique<Shard[]>(shard_count())) {
    if (most_bytes_ != 0 && most_bytes_ <= cost(1, 0))
      throw omnistore::Failure(OMNISTORE_INVALID, "maxBytes: " + std::to_string(most_bytes_) +
                                                      " holds no entry; the least that one takes is " +
                                                      std::to_string(cost(1, 0)));
    if (most_bytes_ != 0) traits.max_value_size = std::min(traits.max_value_size, most_bytes_ - cost(1, 0));
    // Versions begin at the time of day, so that no etag comes again after a restart.
    for (Shard &shard : shards()) shard.version = static_cast<uint64_t>(std::max<int64_t>(now(), 1)) << 20;
  }

  omnistore_status get(omnistore::Call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    const uint64_t hash = hash_of(key, seed_);
    Shard &shard = shard_of(hash);
    Graveyard dead;
    std::unique_lock guard(shard.lock);
    Entry *entry = find(shard, hash, key, dead);
    if (!entry) return OMNISTORE_NOT_FOUND;
    use(*entry);
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

  omnistore_status stat(omnistore::Call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    const uint64_t hash = hash_of(key, seed_);
    Shard &shard = shard_of(hash);
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    const Entry *entry = find(shard, hash, key, dead);
    if (!entry) return OMNISTORE_NOT_FOUND;
    return begin(*entry, request, sink, nullptr);
  }

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    if (const omnistore_status status = fits(call, key, request.value.size)) return status;
    const uint64_t hash = hash_of(key, seed_);
    Shard &shard = shard_of(hash);
    const Write write{hash, key, as_view(request.value), request.expiry, now()};
    OwnedEntry prepared = write.value.size() >= LARGE ? make(write) : nullptr;
    Graveyard dead;
    uint64_t version = 0;
    {
      const std::lock_guard guard(shard.lock);
      const size_t slot = find_slot(shard, hash, key, write.now, dead);
      if (const omnistore_status status = check(call, request.condition, request.etag, shard, slot)) return status;
      if (write.expiry != 0 && write.expiry <= write.now) {
        if (slot != Table::NONE) drop(shard, slot, dead);
      } else {
        version = put(shard, slot, write, prepared, dead);
      }
    }
    if (bounded_ && over()) evict_elsewhere(shard, version, write.now);
    if (write.expiry != 0) schedule(write.expiry, write.now);
    return result ? tell(write, version, *result) : OMNISTORE_OK;
  }

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    const uint64_t hash = hash_of(key, seed_);
    Shard &shard = shard_of(hash);
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    const size_t slot = find_slot(shard, hash, key, NOT_READ, dead);
    if (slot == Table::NONE && request.condition != OMNISTORE_IF_MATCH) return OMNISTORE_NOT_FOUND;
    if (const omnistore_status status = check(call, request.condition, request.etag, shard, slot)) return status;
    drop(shard, slot, dead);
    return OMNISTORE_OK;
  }

  omnistore_status touch(omnistore::Call, std::string_view key, const omnistore_touch_request &request) {
    const uint64_t hash = hash_of(key, seed_);
    Shard &shard = shard_of(hash);
    const int64_t time = now();
    {
      Graveyard dead;
      const std::lock_guard guard(shard.lock);
      const size_t slot = find_slot(shard, hash, key, time, dead);
      if (slot == Table::NONE) return OMNISTORE_NOT_FOUND;
      if (request.expiry != 0 && request.expiry <= time) {
        expire(shard, slot, dead);
        return OMNISTORE_OK;
      }
      if (request.expiry != 0) shard.timers().reserve();
      Entry *entry = shard.table().at(slot);
      entry->expiry = request.expiry;
      shard.timers().update(entry);
      use(*entry);
    }
    if (request.expiry != 0) schedule(request.expiry, time);
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

  struct Write {
    uint64_t hash;
    std::string_view key, value;
    int64_t expiry, now;
  };

  // ------------------------------------------------------------------------------------------------------ shards

  /// A small store has one shard: what goes when it is full is then exact.
  unsigned shard_bits() const {
    constexpr unsigned MOST = 6;
    unsigned bits = MOST;
    if (most_entries_ != 0) bits = std::min(bits, static_cast<unsigned>(std::bit_width(most_entries_ / 1024)));
    if (most_bytes_ != 0) bits = std::min(bits, static_cast<unsigned>(std::bit_width(most_bytes_ >> 20)));
    return bits;
  }
  size_t shard_count() const { return size_t{1} << shard_bits_; }
  std::span<Shard> shards() const { return {shards_.get(), shard_count()}; }
  Shard &shard_of(uint64_t hash) const { return shards_[hash >> 58 >> (6 - shard_bits_)]; }

  int64_t now() const { return host_.now(&host_); }

  // ------------------------------------------------------------------------------ one entry, with its shard's lock

  /// The slot of the key's live entry, or Table::NONE; an expired one is removed.
  size_t find_slot(Shard &shard, uint64_t hash, std::string_view key, int64_t time, Graveyard &dead) {
    const size_t slot = shard.table().find(hash, key);
    if (slot == Table::NONE) return slot;
    const Entry *entry = shard.table().at(slot);
    if (entry->expiry == 0 || !entry->expired(time == NOT_READ ? now() : time)) return slot;
    expire(shard, slot, dead);
    return Table::NONE;
  }
  Entry *find(Shard &shard, uint64_t hash, std::string_view key, Graveyard &dead) {
    const size_t slot = find_slot(shard, hash, key, NOT_READ, dead);
    return slot == Table::NONE ? nullptr : shard.table().at(slot);
  }

  void use(Entry &entry) const {
    if (bounded_ && !entry.touched) entry.touched = true;
  }

  using Text = std::array<char, 16>;
  static std::string_view etag_of(uint64_t version, Text &into) {
    return {into.data(), std::to_chars(into.data(), into.data() + into.size(), version, 36).ptr};
  }

  static omnistore_status check(omnistore::Call call, uint32_t condition, omnistore_bytes etag, Shard &shard,
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
      return call.fail(OMNISTORE_UNSUPPORTED, "unknown condition " + std::to_string(condition));
    }
    return holds ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }

  static omnistore_status begin(const Entry &entry, const omnistore_get_request &request, omnistore_sink &sink,
                                void **buffer) {
    omnistore_meta meta = omnistore::make_meta(entry.value_size, entry.mtime, entry.expiry);
    Text text;
    if (request.flags & OMNISTORE_GET_META) meta.etag = as_bytes(etag_of(entry.version, text));
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

  omnistore_status fits(omnistore::Call call, std::string_view key, uint64_t value_size) const {
    if (value_size > LARGEST_VALUE)
      return call.fail(OMNISTORE_TOO_LARGE, "a value of " + std::to_string(value_size) + " bytes; at most " +
                                                std::to_string(LARGEST_VALUE) + " are kept");
    if (most_bytes_ != 0 && cost(key.size(), value_size) > most_bytes_)
      return call.fail(OMNISTORE_TOO_LARGE, "key and value would take " + std::to_string(cost(key.size(), value_size)) +
                                                " bytes; maxBytes is " + std::to_string(most_bytes_));
    return OMNISTORE_OK;
  }

  static OwnedEntry make(const Write &write) {
    OwnedEntry entry = make_entry(write.key, write.value.size());
    fill(*entry, write);
    return entry;
  }
  static void fill(Entry &entry, const Write &write) {
    entry.hash = static_cast<uint32_t>(write.hash);
    entry.mtime = write.now;
    entry.expiry = write.expiry;
    entry.value_size = static_cast<uint32_t>(write.value.size());
    if (!write.value.empty()) std::memcpy(entry.value(), write.value.data(), write.value.size());
  }

  /// Whether a value may be written over the entry's: it has room, and not much too much.
  static bool takes(const Entry &entry, uint64_t value_size) {
    return entry.pins == 0 && value_size <= entry.capacity && entry.capacity <= value_size * 2 + 64;
  }

  /// Stores the value under the key whose slot is given, and makes entries of this shard go where there are too many.
  /// Returns the new version.
  uint64_t put(Shard &shard, size_t slot, const Write &write, OwnedEntry &prepared, Graveyard &dead) {
    Entry *old = slot == Table::NONE ? nullptr : shard.table().at(slot);
    const uint64_t version = shard.version + 1;
    if (old && !prepared && takes(*old, write.value.size())) {
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
        shard.insert(write.hash, entry, bounded_);
      if (bounded_) {
        bytes_ += shard.bytes - before;
        entries_ += old ? 0 : 1;
        evict(shard, version, write.now, dead);
      }
    }
    return shard.version = version;
  }

  void drop(Shard &shard, size_t slot, Graveyard &dead) {
    if (bounded_) {
      bytes_ -= cost(*shard.table().at(slot));
      --entries_;
    }
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

  bool over() const {
    return (most_entries_ != 0 && entries_ > most_entries_) || (most_bytes_ != 0 && bytes_ > most_bytes_);
  }

  /// Takes `amount` off a counter that is over its limit; false when, at that moment, it is not. As an entry goes only
  /// after this, threads that evict at once do not make one go too many.
  static bool claim(std::atomic<uint64_t> &counter, uint64_t limit, uint64_t amount) {
    uint64_t value = counter;
    while (limit != 0 && value > limit)
      if (counter.compare_exchange_weak(value, value - amount)) return true;
    return false;
  }
  bool claim(uint64_t size) {
    if (claim(entries_, most_entries_, 1)) return bytes_ -= size, true;
    if (claim(bytes_, most_bytes_, size)) return --entries_, true;
    return false;
  }

  /// Makes entries of the shard go until there are few enough, expired ones first, never the one of version `spared`.
  /// Returns how many went. The shard's lock is held.
  size_t evict(Shard &shard, uint64_t spared, int64_t time, Graveyard &dead) {
    for (size_t gone = 0;; ++gone) {
      if (!over()) return gone;
      const bool expired = shard.timers().next() <= time;
      const Entry *victim = expired ? shard.timers().first() : shard.clock().victim(spared);
      if (!victim || !claim(cost(*victim))) return gone;
      announce(*victim, expired ? OMNISTORE_CAUSE_EXPIRED : OMNISTORE_CAUSE_EVICTED);
      shard.remove(slot_of(shard, *victim), dead);
    }
  }

  /// Where a shard holds nothing but what was just set, others give. No lock is held.
  void evict_elsewhere(const Shard &full, uint64_t spared, int64_t time) {
    const size_t first = next_to_give_++;
    size_t gone = 1;
    while (gone != 0 && over()) {
      gone = 0;
      for (size_t i = 0; i < shard_count() && over(); ++i) {
        Shard &shard = shards_[(first + i) % shard_count()];
        Graveyard dead;
        const std::lock_guard guard(shard.lock);
        gone += evict(shard, &shard == &full ? spared : 0, time, dead);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------ expiry

  static constexpr int64_t LONGEST_WAIT = 60'000; // ms from one sweep to the next
  static constexpr int64_t SHORTEST_WAIT = 20;    // ms, so that a stream of expiries is swept in heaps
  static constexpr int64_t LATEST = 250;          // ms that a sweep may come late where one is under way already

  void expire(Shard &shard, size_t slot, Graveyard &dead) {
    announce(*shard.table().at(slot), OMNISTORE_CAUSE_EXPIRED);
    drop(shard, slot, dead);
  }

  /// Sees to it that a sweep comes soon after `expiry`. No lock is held.
  void schedule(int64_t expiry, int64_t time) {
    const int64_t at = std::clamp(expiry, time + SHORTEST_WAIT, time + LONGEST_WAIT);
    int64_t planned = sweep_at_;
    do {
      if (planned != Timers::NEVER && at + LATEST >= planned) return;
    } while (!sweep_at_.compare_exchange_weak(planned, at));
    submit(at - time);
  }

  void submit(int64_t delay) {
    ++sweeps_;
    const auto sweep = [](void *self, omnistore_call *call) { static_cast<Memory *>(self)->sweep(*call); };
    if (host_.submit(&host_, sweep, this, static_cast<uint64_t>(delay)) == OMNISTORE_OK) return;
    // Reads still hide what has expired; the next write that expires asks again.
    --sweeps_;
    sweep_at_ = Timers::NEVER;
  }

  /// Removes what has expired, a slice of a shard at a time.
  void sweep(omnistore_call &call) {
    const bool last = --sweeps_ == 0;
    const int64_t time = now(), planned = sweep_at_;
    if (time < planned) {
      if (last && planned != Timers::NEVER) submit(planned - time);
      return;
    }
    sweep_at_ = Timers::NEVER;
    int64_t next;
    do {
      next = Timers::NEVER;
      for (Shard &shard : shards()) next = std::min(next, sweep(shard, time));
    } while (next <= time && call.remaining(&call) != 0);
    if (next != Timers::NEVER) schedule(next, now());
  }

  /// Returns when the shard's next entry expires.
  int64_t sweep(Shard &shard, int64_t time) {
    constexpr int SLICE = 64;
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
    while (sweep(shard, time) <= time) {
    }
    Graveyard dead;
    const std::lock_guard guard(shard.lock);
    if (bounded_) bytes_ -= shard.bytes, entries_ -= shard.table().count();
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
      if (more && call.remaining() == 0) return call.fail(OMNISTORE_TIMEOUT, "a part of the base was cleared");
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

  const omnistore_host &host_;
  const uint64_t most_entries_, most_bytes_; // 0: no limit
  const bool bounded_;                       // either is set
  const unsigned shard_bits_;
  const uint64_t seed_ = secret();
  const std::unique_ptr<Shard[]> shards_;

  // Only a bounded store counts, so that shards otherwise share nothing that is written.
  alignas(64) std::atomic<uint64_t> entries_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<size_t> next_to_give_{0};
  alignas(64) std::atomic<int64_t> sweep_at_{Timers::NEVER}; // when the next sweep is due
  std::atomic<int> sweeps_{0};                               // tasks that the host has
};

} // namespace
} // namespace memory

OMNISTORE_PLUGIN(omnistore::driver<memory::Memory>("memory", "1.0.0", "Keeps values in the process's memory",
                                                   OMNISTORE_OPTIONS_SCHEMA, memory::TRAITS))
