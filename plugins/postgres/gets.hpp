// SPDX-License-Identifier: Apache-2.0
// How values are read. Single gets of many callers go together: while round trips run, the gets that come meanwhile
// gather in a batch, and one of their callers, the leader, then sends them all in one statement. The callers wait on a
// futex of their batch: a condition variable would cost each of them a system call to wake up, and a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>

#include "pool.hpp"

namespace postgres {

/// A value that was looked up.
struct Found {
  bool is_there = false;
  bool is_whole = true;     ///< false: it is long, and its bytes were not read
  std::int64_t version = 0; ///< 0: the layout has none, and no user meta
  std::int64_t mtime = 0, expiry = 0;
  std::uint64_t size = 0;
  std::string user, bytes;

  /// Takes the four columns that all statements of a value begin with, from `column` on.
  void take(const Rows &rows, int row, int column = 0);
  /// Calls use(meta) with meta that is valid for so long.
  template <class Use>
  auto with_meta(std::uint32_t flags, std::string_view key, Use use) const {
    omnistore_meta meta = omnistore::make_meta(size, mtime, expiry);
    std::optional<omnistore::NumberEtag> etag;
    if ((flags & OMNISTORE_GET_META) && version != 0)
      meta.etag = omnistore::as_bytes(etag.emplace(static_cast<std::uint64_t>(version)).text());
    if ((flags & OMNISTORE_GET_USER) && version != 0 && !key.ends_with('$')) omnistore::add_user(meta, user);
    return use(meta);
  }
  /// Sends it, with `part` as the requested part of the value.
  omnistore_status give(omnistore_sink &sink, std::uint32_t flags, std::string_view key, std::string_view part) const;
  omnistore_status give_meta(omnistore_sink &sink, std::uint32_t flags, std::string_view key) const;
};

/// Reads a part of one value.
Found read(Connection &connection, omnistore::Call call, std::string_view key, const omnistore_get_request &request,
           std::int64_t now);
/// Reads the meta of one value.
Found look_at(Connection &connection, omnistore::Call call, std::string_view key, bool user, std::int64_t now);
/// Reads many values, or only their meta, in one statement.
std::vector<Found> read_many(Connection &connection, omnistore::Call call, std::span<const std::string_view> keys,
                             bool bytes, bool user, std::int64_t now);

/// Runs work(connection) for a read, and once more if the connection was lost meanwhile.
template <class Work>
auto reading(Pool &pool, omnistore::Call call, Work work) {
  try {
    return work(*pool.take(call));
  } catch (const omnistore::Failure &failure) {
    if (failure.status() != OMNISTORE_UNAVAILABLE || failure.details().nothing_done || call.remaining() == 0) throw;
  }
  return work(*pool.take(call));
}

/// Gets that are sent in one statement. Their callers wait on `state`, so that one system call wakes up all of them.
struct Batch {
  enum : std::uint32_t { gathers, needs_leader, has_leader, done };
  std::atomic<std::uint32_t> state{gathers};
  // Under the lock of the queue. The keys do not change while the batch has a leader.
  std::vector<std::string> keys;
  std::size_t callers = 0; ///< that have not left
  // When it is done. Each caller takes the one of its own key.
  std::vector<Found> found;
  std::optional<omnistore::Failure> failure;
};

/// Safe for threads.
class Gets {
public:
  Gets(Pool &pool, const omnistore_host &host) : pool_(pool), host_(host) {}

  /// Reads a whole value without its user meta. If it is long, `is_whole` is false.
  Found get(omnistore::Call call, std::string_view key);

private:
  using Shared = std::shared_ptr<Batch>;

  std::pair<Shared, std::size_t> join(std::string_view key);
  bool claim(const Shared &batch);
  void lead(omnistore::Call call, const Shared &batch);
  void leave(const Shared &batch);
  Shared next_batch();

  Pool &pool_;
  const omnistore_host &host_;
  std::mutex lock_;          // for all below, and for the batches
  std::deque<Shared> queue_; // batches that nobody leads yet
  int leaders_ = 0;          // leaders, and batches that need one
};

} // namespace postgres
