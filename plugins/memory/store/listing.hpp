// SPDX-License-Identifier: Apache-2.0
// One page of a listing: a merge of the shards, each of which is in order. A shard is read in slices, so that its lock
// is held for a short time only. The keys of a slice are copied, and go to the host while no lock is held.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>

#include "entry/entry.hpp"
#include "shard/shard.hpp"

namespace memory {

class Listing {
public:
  /// The caller holds no lock. Entries that have expired at `now` are left out.
  Listing(std::span<Shard> shards, const omnistore_list_request &request, int64_t now)
      : shards_(shards), request_(request), base_(omnistore::as_view(request.base)), now_(now), runs_(shards.size()),
        share_(request.limit / shards.size() * 9 / 8 + 2) {}

  omnistore_status run(omnistore::Call call, omnistore_page &page) {
    const std::string_view cursor = omnistore::as_view(request_.cursor);
    if (!cursor.empty() && !cursor.starts_with(base_))
      return call.fail(OMNISTORE_INVALID, "the cursor is not one of a listing of this base");
    const std::string from = cursor.empty() ? std::string(base_) : std::string(cursor) + '\0';
    for (Run &run : runs_) run.from = from;
    return merge(call, page);
  }

private:
  struct Found {
    size_t key; // its offset in keys_
    uint32_t key_size, value_size;
    int64_t mtime, expiry;
  };
  /// The keys that were read of a shard and not emitted yet: found_[next, end).
  struct Run {
    size_t next = 0, end = 0;
    bool done = false;
    std::string from; // the next slice begins here
  };

  std::string_view key(const Found &found) const { return std::string_view(keys_).substr(found.key, found.key_size); }

  omnistore_status merge(omnistore::Call call, omnistore_page &page) {
    const auto later = [&](size_t a, size_t b) { return key(found_[runs_[a].next]) > key(found_[runs_[b].next]); };
    std::vector<size_t> order; // a heap of the runs, ordered by their next keys
    for (size_t i = 0; i < runs_.size(); ++i)
      if (ready(i)) order.push_back(i);
    std::make_heap(order.begin(), order.end(), later);
    for (uint32_t emitted = 1; !order.empty(); ++emitted) {
      std::pop_heap(order.begin(), order.end(), later);
      const size_t least = order.back();
      order.pop_back();
      const Found found = found_[runs_[least].next++];
      if (const omnistore_status status = emit(found, page)) return status;
      if (emitted == request_.limit) {
        if (order.empty() && runs_[least].done && runs_[least].next == runs_[least].end) return OMNISTORE_OK;
        page.next(&page, {keys_.data() + found.key, found.key_size});
        return OMNISTORE_OK;
      }
      if (emitted % 256 == 0 && call.remaining() == 0) return call.fail(call.late(), "the listing took too long");
      if (ready(least)) order.push_back(least), std::push_heap(order.begin(), order.end(), later);
    }
    return OMNISTORE_OK;
  }

  omnistore_status emit(const Found &found, omnistore_page &page) const {
    const omnistore_meta meta = omnistore::make_meta(found.value_size, found.mtime, found.expiry);
    return page.emit(&page, {keys_.data() + found.key, found.key_size},
                     request_.flags & OMNISTORE_LIST_META ? &meta : nullptr);
  }

  /// Returns true if the run has a next key. Reads another slice of the shard if needed.
  bool ready(size_t i) {
    while (runs_[i].next == runs_[i].end && !runs_[i].done) more(i);
    return runs_[i].next != runs_[i].end;
  }

  /// Reads the slice that follows the last one of the run.
  void more(size_t i) {
    constexpr size_t slice_size = 128; // entries that are read while the lock is held
    Run &run = runs_[i];
    run.next = run.end = found_.size();
    const std::lock_guard guard(shards_[i].lock);
    Index::Position at = shards_[i].index().seek(run.from);
    for (size_t looked = 0;; ++looked) {
      const Entry *entry = at.get();
      if (!entry || !entry->key().starts_with(base_)) {
        run.done = true;
        return;
      }
      if (looked == slice_size || run.end - run.next == share_) {
        run.from = entry->key();
        return;
      }
      if (const size_t deeper = below(entry->key())) {
        run.from = entry->key().substr(0, deeper);
        run.from.back() = ':' + 1; // sorts after every key of the subtree
        at.skip(run.from);
        continue;
      }
      if (!entry->expired(now_)) take(*entry), ++run.end;
      at.next();
    }
  }

  void take(const Entry &entry) {
    const std::string_view key = entry.key();
    found_.push_back({keys_.size(), static_cast<uint32_t>(key.size()), static_cast<uint32_t>(entry.value_size()),
                      entry.mtime(), entry.expiry()});
    keys_ += key;
  }

  /// If a key lies deeper than the request asks for, returns its length up to the first ':' that is too many; else 0.
  size_t below(std::string_view key) const {
    if (request_.depth == OMNISTORE_ANY_DEPTH) return 0;
    size_t at = base_.size();
    for (uint32_t depth = 0;; ++depth) {
      at = key.find(':', at);
      if (at == key.npos) return 0;
      ++at;
      if (depth == request_.depth) return at;
    }
  }

  std::span<Shard> shards_;
  const omnistore_list_request &request_;
  std::string_view base_;
  int64_t now_;
  std::vector<Run> runs_;
  size_t share_; // keys of a slice: a little more than a shard's part of the page
  std::vector<Found> found_;
  std::string keys_;
};

} // namespace memory
