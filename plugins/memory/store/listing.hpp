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
#include <omnistore/listing.hpp>

#include "entry/entry.hpp"
#include "shard/shard.hpp"

namespace memory {

class Listing {
public:
  /// The caller holds no lock. Entries that have expired at `now` are left out.
  Listing(std::span<Shard> shards, const omnistore_list_request &request, int64_t now)
      : shards_(shards), request_(request), reverse_(request.flags & OMNISTORE_LIST_REVERSE),
        folders_(request.flags & OMNISTORE_LIST_FOLDERS), range_(request, omnistore::as_view(request.cursor)),
        now_(now), runs_(shards.size()), share_(folders_ ? request.limit : request.limit / shards.size() * 9 / 8 + 2) {}

  omnistore_status run(omnistore::Call call, omnistore_page &page) {
    const std::string_view cursor = omnistore::as_view(request_.cursor);
    if (!cursor.empty() && !cursor.starts_with(omnistore::as_view(request_.base)))
      return call.fail(OMNISTORE_INVALID, "the cursor is not one of a listing of this base");
    if (range_.empty()) return OMNISTORE_OK;
    for (Run &run : runs_) run.at = reverse_ ? range_.to : range_.from;
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
    std::string
        at; // the next slice begins here. In descending order its keys are less than this; empty: at the last key
  };

  std::string_view key(const Found &found) const { return std::string_view(keys_).substr(found.key, found.key_size); }

  omnistore_status merge(omnistore::Call call, omnistore_page &page) {
    const auto later = [&](size_t a, size_t b) {
      const std::string_view one = key(found_[runs_[a].next]), other = key(found_[runs_[b].next]);
      return reverse_ ? one < other : one > other;
    };
    std::vector<size_t> order; // a heap of the runs, ordered by their next keys
    for (size_t i = 0; i < runs_.size(); ++i)
      if (ready(i)) order.push_back(i);
    std::make_heap(order.begin(), order.end(), later);
    uint32_t emitted = 0, steps = 0;
    Found last{};
    while (!order.empty()) {
      std::pop_heap(order.begin(), order.end(), later);
      const size_t least = order.back();
      order.pop_back();
      const Found found = found_[runs_[least].next++];
      if (!folders_ || emitted == 0 || key(found) != key(last)) { // many shards may have keys of one folder
        if (const omnistore_status status = emit(found, page)) return status;
        last = found;
        if (++emitted == request_.limit) {
          if (order.empty() && runs_[least].done && runs_[least].next == runs_[least].end) return OMNISTORE_OK;
          page.next(&page, {keys_.data() + found.key, found.key_size});
          return OMNISTORE_OK;
        }
      }
      if (++steps % 256 == 0 && call.remaining() == 0) return call.fail(call.late(), "the listing took too long");
      if (ready(least)) order.push_back(least), std::push_heap(order.begin(), order.end(), later);
    }
    return OMNISTORE_OK;
  }

  omnistore_status emit(const Found &found, omnistore_page &page) const {
    const omnistore_meta meta = omnistore::make_meta(found.value_size, found.mtime, found.expiry);
    return page.emit(&page, {keys_.data() + found.key, found.key_size},
                     request_.flags & OMNISTORE_LIST_META && !key(found).ends_with(':') ? &meta : nullptr);
  }

  /// Returns true if the run has a next key. Reads another slice of the shard if needed.
  bool ready(size_t i) {
    while (runs_[i].next == runs_[i].end && !runs_[i].done) more(i);
    return runs_[i].next != runs_[i].end;
  }

  /// Reads the slice that follows the last one of the run.
  void more(size_t i) {
    Run &run = runs_[i];
    run.next = run.end = found_.size();
    const std::lock_guard guard(shards_[i].lock);
    if (reverse_)
      backward(run, shards_[i].index());
    else
      forward(run, shards_[i].index());
  }
  static constexpr size_t slice_size = 128; // entries that are read while the lock is held

  void forward(Run &run, Index &index) {
    Index::Position at = index.seek(run.at);
    for (size_t looked = 0;; ++looked) {
      const Entry *entry = at.get();
      if (!entry || !range_.reaches(entry->key())) return void(run.done = true);
      if (looked == slice_size || run.end - run.next == share_) return void(run.at = entry->key());
      const std::string_view folder = omnistore::folder_of(request_, entry->key());
      if (folder.empty()) {
        if (!entry->expired(now_)) take(*entry), ++run.end;
        at.next();
      } else if (folders_ && entry->expired(now_)) {
        at.next(); // another key of the folder may be live
      } else {
        if (folders_) take_folder(folder), ++run.end;
        run.at = omnistore::after(folder);
        at.skip(run.at);
      }
    }
  }

  void backward(Run &run, Index &index) {
    Index::Position at = index.seek_before(run.at);
    for (size_t looked = 0;; ++looked) {
      const Entry *entry = at.get();
      if (!entry || entry->key() < range_.from) return void(run.done = true);
      if (looked == slice_size || run.end - run.next == share_) return void(run.at = omnistore::after(entry->key()));
      const std::string_view folder = omnistore::folder_of(request_, entry->key());
      if (folder.empty()) {
        if (!entry->expired(now_)) take(*entry), ++run.end;
        at.previous();
      } else if (folders_ && entry->expired(now_)) {
        at.previous();
      } else {
        if (folders_) take_folder(folder), ++run.end;
        run.at = folder;
        at = index.seek_before(run.at);
      }
    }
  }

  void take(const Entry &entry) {
    const std::string_view key = entry.key();
    found_.push_back({keys_.size(), static_cast<uint32_t>(key.size()), static_cast<uint32_t>(entry.value_size()),
                      entry.mtime(), entry.expiry()});
    keys_ += key;
  }
  void take_folder(std::string_view folder) {
    found_.push_back({keys_.size(), static_cast<uint32_t>(folder.size()), 0, 0, 0});
    keys_ += folder;
  }

  std::span<Shard> shards_;
  const omnistore_list_request &request_;
  const bool reverse_, folders_;
  const omnistore::KeyBounds range_;
  int64_t now_;
  std::vector<Run> runs_;
  size_t share_; // names of a slice: a little more than a shard's part of the page, or with folders all of it
  std::vector<Found> found_;
  std::string keys_;
};

} // namespace memory
