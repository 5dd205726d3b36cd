// SPDX-License-Identifier: Apache-2.0
#include "gets.hpp"

#include <algorithm>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

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

namespace {

/// Waits for a wake, unless the word has another value already.
void wait(const std::atomic<std::uint32_t> &word, std::uint32_t value, std::int64_t milliseconds) {
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, &time, nullptr, 0);
}
void wake(const std::atomic<std::uint32_t> &word, int most) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, most, nullptr, nullptr, 0);
}
static_assert(sizeof(std::atomic<std::uint32_t>) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);

} // namespace

Found Gets::get(omnistore::Call call, std::string_view key) {
  const auto [batch, place] = join(key);
  for (;;) {
    const std::uint32_t state = batch->state.load(std::memory_order_acquire);
    if (state == Batch::done) break;
    const std::int64_t left = call.remaining();
    if (left == 0) {
      leave(batch);
      throw omnistore::Failure(call.late(), "the server did not respond in time");
    }
    if (state != Batch::needs_leader)
      wait(batch->state, state, std::min<std::int64_t>(left, 100));
    else if (claim(batch))
      lead(call, batch);
  }
  if (batch->failure) throw *batch->failure;
  return std::move(batch->found[place]);
}

/// Returns the caller's batch and its place in it. A caller that finds few leaders makes its batch need one, and so it
/// will lead.
std::pair<Gets::Shared, std::size_t> Gets::join(std::string_view key) {
  const std::lock_guard guard(lock_);
  if (queue_.empty() || queue_.back()->keys.size() >= MOST_KEYS) queue_.push_back(std::make_shared<Batch>());
  const Shared &batch = queue_.back();
  batch->keys.emplace_back(key);
  ++batch->callers;
  if (batch->state == Batch::gathers && leaders_ < MOST_LEADERS) {
    ++leaders_;
    batch->state = Batch::needs_leader;
  }
  return {batch, batch->keys.size() - 1};
}

/// Returns true if the caller leads its batch from now on.
bool Gets::claim(const Shared &batch) {
  const std::lock_guard guard(lock_);
  if (batch->state != Batch::needs_leader) return false;
  batch->state = Batch::has_leader;
  std::erase(queue_, batch);
  return true;
}

/// For a caller whose time has ended. It may be the one that was woken up to lead.
void Gets::leave(const Shared &batch) {
  Shared next;
  {
    const std::lock_guard guard(lock_);
    const bool needs_leader = batch->state == Batch::needs_leader;
    if (--batch->callers == 0)
      std::erase(queue_, batch);
    else if (needs_leader)
      next = batch;
    if (needs_leader && !next) next = next_batch();
  }
  if (next) wake(next->state, 1);
}

/// Returns the batch that follows one that a leader has ended, with one caller to be woken up; null if there is none.
Gets::Shared Gets::next_batch() {
  const auto next =
      std::find_if(queue_.begin(), queue_.end(), [](const Shared &batch) { return batch->state == Batch::gathers; });
  if (next == queue_.end()) {
    --leaders_;
    return nullptr;
  }
  (*next)->state = Batch::needs_leader;
  return *next;
}

/// Sends a batch and hands out its values. If the leader's own time ends meanwhile, the others' gets are queued again.
void Gets::lead(omnistore::Call call, const Shared &batch) {
  std::vector<Found> found;
  std::optional<omnistore::Failure> failure;
  try {
    const std::vector<std::string_view> keys(batch->keys.begin(), batch->keys.end());
    found = reading(pool_, call, [&](Connection &connection) {
      return read_many(connection, call, keys, true, false, host_.now(&host_));
    });
  } catch (const omnistore::Failure &thrown) {
    failure = thrown;
  } catch (const std::exception &error) {
    failure.emplace(OMNISTORE_INTERNAL, error.what());
  }
  const bool is_late = failure && call.remaining() == 0;
  Shared next;
  {
    const std::lock_guard guard(lock_);
    if (is_late) {
      if (--batch->callers > 0) {
        batch->state = Batch::gathers;
        queue_.push_front(batch);
      }
    } else {
      batch->found = std::move(found);
      batch->failure = failure;
      batch->state.store(Batch::done, std::memory_order_release);
    }
    next = next_batch();
  }
  if (next) wake(next->state, 1); // its leader sends it while the callers of this one wake up
  if (is_late) throw *failure;
  wake(batch->state, INT_MAX);
}

} // namespace postgres
