// SPDX-License-Identifier: Apache-2.0
#include "gets.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace postgres {
namespace {

/// How many gets go in one statement, and how many such statements run at once.
constexpr std::size_t MOST_KEYS = 128;
constexpr int MOST_LEADERS = 2;

} // namespace

void Found::take(const Rows &rows, int row, int column) {
  is_there = true;
  version = rows.integer(row, column);
  mtime = rows.integer(row, column + 1);
  expiry = rows.integer(row, column + 2);
  size = static_cast<std::uint64_t>(rows.integer(row, column + 3));
}

omnistore_status Found::give(omnistore_sink &sink, std::uint32_t flags, std::string_view key,
                             std::string_view part) const {
  return with_meta(flags, key, [&](const omnistore_meta &meta) { return omnistore::give(sink, meta, part); });
}
omnistore_status Found::give_meta(omnistore_sink &sink, std::uint32_t flags, std::string_view key) const {
  return with_meta(flags, key, [&](const omnistore_meta &meta) { return omnistore::give(sink, meta); });
}

Found read(Connection &connection, omnistore::Call call, std::string_view key, const omnistore_get_request &request,
           std::int64_t now) {
  constexpr std::uint64_t most = INT32_MAX - 1;
  Params params;
  params.bytes(key).integer(now).integer((request.flags & OMNISTORE_GET_USER) != 0);
  params.integer(static_cast<std::int64_t>(std::min(request.offset, most)) + 1);
  params.integer(static_cast<std::int64_t>(std::min(request.length, most)));
  const Rows rows = connection.run(call, Query::get, params);
  Found found;
  if (rows.count() == 0) return found;
  found.take(rows, 0);
  found.user = rows.bytes(0, 4);
  found.bytes = rows.bytes(0, 5);
  return found;
}

Found look_at(Connection &connection, omnistore::Call call, std::string_view key, bool user, std::int64_t now) {
  const Rows rows = connection.run(call, Query::stat, Params().bytes(key).integer(now).integer(user));
  Found found;
  if (rows.count() == 0) return found;
  found.take(rows, 0);
  found.user = rows.bytes(0, 4);
  return found;
}

std::vector<Found> read_many(Connection &connection, omnistore::Call call, std::span<const std::string_view> keys,
                             bool bytes, bool user, std::int64_t now) {
  const Rows rows =
      connection.run(call, bytes ? Query::get_many : Query::stat_many, Params().array(keys).integer(now).integer(user));
  std::vector<Found> all(keys.size());
  for (int row = 0; row < rows.count(); ++row) {
    Found &found = all.at(static_cast<std::size_t>(rows.integer(row, 5) - 1));
    found.take(rows, row);
    found.user = rows.bytes(row, 4);
    if (!bytes) continue;
    found.is_whole = !rows.is_null(row, 6);
    found.bytes = rows.bytes(row, 6);
  }
  return all;
}

Found Gets::get(omnistore::Call call, std::string_view key) {
  const auto wanted = std::make_shared<Wanted>();
  wanted->key = key;
  std::unique_lock lock(lock_);
  queue_.push_back(wanted);
  while (wanted->state != Wanted::done) {
    const std::int64_t left = call.remaining();
    if (left == 0) {
      if (wanted->state == Wanted::queued) std::erase(queue_, wanted);
      wake_next();
      throw omnistore::Failure(call.late(), "the server did not respond in time");
    }
    if (wanted->state == Wanted::queued && leaders_ < MOST_LEADERS)
      lead(call, lock);
    else
      wanted->woken.wait_for(lock, std::chrono::milliseconds(std::min<std::int64_t>(left, 100)));
  }
  if (wanted->failure) throw *wanted->failure;
  return std::move(wanted->found);
}

void Gets::wake_next() {
  if (!queue_.empty() && leaders_ < MOST_LEADERS) queue_.front()->woken.notify_one();
}

/// Sends the gets that are queued and hands out what they find. If the caller's own time ends meanwhile, the others'
/// gets are queued again.
void Gets::lead(omnistore::Call call, std::unique_lock<std::mutex> &lock) {
  ++leaders_;
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), MOST_KEYS));
  const Batch batch(queue_.begin(), end);
  queue_.erase(queue_.begin(), end);
  for (const auto &wanted : batch) wanted->state = Wanted::sent;
  wake_next();
  lock.unlock();
  std::vector<Found> found;
  std::optional<omnistore::Failure> failure;
  try {
    std::vector<std::string_view> keys;
    for (const auto &wanted : batch) keys.emplace_back(wanted->key);
    found = reading(pool_, call, [&](Connection &connection) {
      return read_many(connection, call, keys, true, false, host_.now(&host_));
    });
  } catch (const omnistore::Failure &thrown) {
    failure = thrown;
  } catch (const std::exception &error) {
    failure.emplace(OMNISTORE_INTERNAL, error.what());
  }
  const bool was_late = failure && call.remaining() == 0;
  lock.lock();
  --leaders_;
  for (std::size_t i = batch.size(); i-- > 0;) {
    Wanted &wanted = *batch[i];
    if (was_late) {
      // The caller itself is queued too: it sees that its time has ended.
      wanted.state = Wanted::queued;
      queue_.push_front(batch[i]);
    } else {
      wanted.state = Wanted::done;
      if (failure)
        wanted.failure = failure;
      else
        wanted.found = std::move(found[i]);
    }
    wanted.woken.notify_one();
  }
  wake_next();
}

} // namespace postgres
