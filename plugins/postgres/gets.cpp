// SPDX-License-Identifier: Apache-2.0
#include "gets.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace postgres {
namespace {

/// How many gets go in one statement, and how many such statements run at once: the server works on one while the
/// callers of the other wake up.
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
  const Shared own = join(key);
  std::unique_lock lock(own->lock);
  while (own->state != Wanted::done) {
    const std::int64_t left = call.remaining();
    if (own->state == Wanted::leads) {
      lock.unlock();
      lead(call, own);
      lock.lock();
    } else if (left == 0) {
      lock.unlock();
      leave(own);
      throw omnistore::Failure(call.late(), "the server did not respond in time");
    } else {
      own->woken.wait_for(lock, std::chrono::milliseconds(std::min<std::int64_t>(left, 100)));
    }
  }
  if (own->failure) throw *own->failure;
  return std::move(own->found);
}

/// The caller leads if there are few leaders; else it is queued.
Gets::Shared Gets::join(std::string_view key) {
  auto own = std::make_shared<Wanted>();
  own->key = key;
  const std::lock_guard guard(lock_);
  if (leaders_ < MOST_LEADERS) {
    ++leaders_;
    own->state = Wanted::leads;
  } else {
    queue_.push_back(own);
  }
  return own;
}

/// For a caller whose time has ended. It may have become a leader just now.
void Gets::leave(const Shared &own) {
  std::unique_lock lock(lock_);
  own->has_left = true;
  std::erase(queue_, own);
  own->lock.lock();
  const bool leads = own->state == Wanted::leads;
  own->lock.unlock();
  if (leads) next_leader(std::move(lock));
}

/// A leader has done its work: the first of the queue takes its place.
void Gets::next_leader(std::unique_lock<std::mutex> lock) {
  if (queue_.empty()) {
    --leaders_;
    return;
  }
  const Shared next = std::move(queue_.front());
  queue_.pop_front();
  next->lock.lock();
  next->state = Wanted::leads;
  next->lock.unlock();
  lock.unlock();
  next->woken.notify_one();
}

/// Sends the leader's get and those that are queued, and hands out what they find. If the leader's own time ends
/// meanwhile, the others' gets are queued again.
void Gets::lead(omnistore::Call call, const Shared &own) {
  std::vector<Shared> batch{own};
  {
    const std::lock_guard guard(lock_);
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), MOST_KEYS - 1));
    batch.insert(batch.end(), std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
  }
  std::vector<Found> found;
  std::optional<omnistore::Failure> failure;
  try {
    std::vector<std::string_view> keys;
    for (const Shared &wanted : batch) keys.emplace_back(wanted->key);
    found = reading(pool_, call, [&](Connection &connection) {
      return read_many(connection, call, keys, true, false, host_.now(&host_));
    });
  } catch (const omnistore::Failure &thrown) {
    failure = thrown;
  } catch (const std::exception &error) {
    failure.emplace(OMNISTORE_INTERNAL, error.what());
  }
  std::unique_lock lock(lock_);
  if (failure && call.remaining() == 0) {
    std::copy_if(batch.rbegin(), batch.rend() - 1, std::front_inserter(queue_),
                 [](const Shared &wanted) { return !wanted->has_left; });
    batch.resize(1);
  }
  next_leader(std::move(lock)); // it sends its gets while the others wake up
  for (std::size_t i = batch.size(); i-- > 0;) {
    Wanted &wanted = *batch[i];
    wanted.lock.lock();
    wanted.state = Wanted::done;
    if (failure)
      wanted.failure = failure;
    else
      wanted.found = std::move(found[i]);
    wanted.lock.unlock();
    if (&wanted != own.get()) wanted.woken.notify_one();
  }
}

} // namespace postgres
