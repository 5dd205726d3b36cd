// SPDX-License-Identifier: Apache-2.0
// How values are read. Single gets of many callers go together: while round trips run, the gets that come meanwhile
// gather, and one of their callers, the leader, then sends them all in one statement. Each caller waits with a lock of
// its own, so that the many that wake up at once do not wait for each other.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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

/// Safe for threads.
class Gets {
public:
  Gets(Pool &pool, const omnistore_host &host) : pool_(pool), host_(host) {}

  /// Reads a whole value without its user meta. If it is long, `is_whole` is false.
  Found get(omnistore::Call call, std::string_view key);

private:
  struct Wanted {
    std::string key;
    std::mutex lock;
    std::condition_variable woken;
    enum { waits, leads, done } state = waits;
    bool has_left = false; ///< its caller's time has ended; under the lock of the queue
    Found found;
    std::optional<omnistore::Failure> failure;
  };
  using Shared = std::shared_ptr<Wanted>;

  Shared join(std::string_view key);
  void lead(omnistore::Call call, const Shared &own);
  void leave(const Shared &own);
  void next_leader(std::unique_lock<std::mutex> lock);

  Pool &pool_;
  const omnistore_host &host_;
  std::mutex lock_; // for the queue. Its holder may take the lock of a get, but not the other way round
  std::deque<Shared> queue_;
  int leaders_ = 0;
};

} // namespace postgres
