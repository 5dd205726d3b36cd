// SPDX-License-Identifier: Apache-2.0
// Requests to the origin: for a reader who has no copy, and in the background for a stale copy.
#include <algorithm>
#include <random>

#include "cache.hpp"

namespace cache {

namespace {

constexpr omnistore_get_request get_whole{sizeof(omnistore_get_request), OMNISTORE_GET_META | OMNISTORE_GET_USER, 0,
                                          UINT64_MAX};
/// A stat without user meta, which could cost the origin another request.
constexpr omnistore_get_request stat_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
constexpr std::int64_t first_pause = 100, longest_pause = 10'000; // between attempts, milliseconds
constexpr std::int64_t first_rest = 1'000, longest_rest = 60'000; // after a refresh that failed
constexpr std::size_t max_failing = 10'000;

bool is_whole(const omnistore_get_request &request) { return request.offset == 0 && request.length == UINT64_MAX; }

/// Returns true if another attempt may succeed.
bool may_pass(omnistore_status status) { return status == OMNISTORE_UNAVAILABLE || status == OMNISTORE_TIMEOUT; }

} // namespace

/// Requests the whole value from the origin, once. `have` (may be null) is the record of the copy. If the value is
/// still the same, sets `unchanged`.
omnistore_status Cache::request_value(Call call, std::string_view key, const Record *have, FetchSink &into,
                                      bool &unchanged) const {
  unchanged = false;
  if (have && settings_.head_only) {
    omnistore::ValueSink meta;
    const omnistore_status status = origin_.stat(call, key, stat_meta, meta);
    unchanged = status == OMNISTORE_OK && have->same(meta.meta());
    if (status != OMNISTORE_OK || unchanged) return status;
  } else if (have && !have->etag.empty() && revalidates_) {
    std::uint32_t same = 0;
    const omnistore_status status = revalidates_->get_changed(origin_.raw()->self, call.raw(), as_bytes(key),
                                                              &get_whole, as_bytes(have->etag), &into, &same);
    unchanged = status == OMNISTORE_OK && same != 0;
    return status;
  }
  return origin_.get(call, key, get_whole, into);
}

/// Waits before another attempt: longer each time, and with jitter. Returns false if the caller's time is over.
bool Cache::pause(Call call, unsigned attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const std::int64_t whole = std::min(longest_pause, first_pause << std::min(attempt, 10u));
  std::int64_t left = std::uniform_int_distribution<std::int64_t>(whole / 2, whole)(random);
  while (left > 0) {
    const std::int64_t step = std::min({left, call.remaining(), std::int64_t{200}});
    if (step <= 0 || !workers_.pause(std::chrono::milliseconds(step))) return false;
    left -= step;
  }
  return true;
}

// ------------------------------------------------------------------------------------------------------ for a reader

Flights::Flight Cache::begin_flight(Call call, std::string_view key) {
  Flights::Flight flight = flights_.begin(call, key);
  if (!flight) call.fail(call.late(), "another request for the key waits for the origin", omnistore::nothing_done);
  return flight;
}

omnistore_status Cache::fetch(Call call, const ReadRequest &reading, CopyResult look, std::uint64_t landings) {
  Flights::Flight flight = begin_flight(call, reading.key);
  if (!flight) return call.late();
  if (flights_.landings() != landings) { // another request may have fetched it meanwhile
    look = from_copy(call, reading, Age::stale);
    if (look.done) return look.status;
  }
  return fetch_in(call, reading, look, flight);
}

omnistore_status Cache::fetch_in(Call call, const ReadRequest &reading, const CopyResult &look,
                                 Flights::Flight &flight) {
  const std::uint64_t seen = cleared_;
  for (unsigned attempt = 0;; ++attempt) {
    FetchSink fetched(settings_.largest, is_whole(reading.request) ? &reading.sink : nullptr);
    CapturingCall on(call);
    bool unchanged = false;
    const std::int64_t asked = now();
    const omnistore_status status =
        request_value(on, reading.key, look.has_copy() ? &look.record : nullptr, fetched, unchanged);
    if (fetched.passed()) {
      drop(call, reading.key);
      flight.land();
      if (is_whole(reading.request))
        return status == OMNISTORE_OK ? status : call.fail(status, on.reason(), on.details());
      return origin_.get(call, reading.key, reading.request, reading.sink);
    }
    if (status == OMNISTORE_OK && unchanged) {
      renew(call, reading.key, look.record, fetched.meta(), seen);
      const CopyResult again = from_copy(call, reading, Age::stale);
      return again.done ? again.status : origin_.get(call, reading.key, reading.request, reading.sink);
    }
    if (status == OMNISTORE_OK) {
      ++fetches_;
      Record record;
      record.take(fetched.meta(), asked);
      omnistore_meta meta = fetched.meta();
      store_copy(call, reading.key, fetched.value(), meta.user, std::move(record), seen);
      flight.land(); // before the reader gets the value, since it may be slow
      if (!(reading.request.flags & OMNISTORE_GET_USER)) meta.flags &= ~OMNISTORE_META_USER, meta.user = {nullptr, 0};
      return give(fetched.value(), meta, reading.request, reading.sink);
    }
    if (status == OMNISTORE_NOT_FOUND) {
      store_absence(call, reading.key);
      return status;
    }
    if (may_pass(status) && attempt < settings_.retry && call.remaining() > 0 && pause(call, attempt)) continue;
    return from_copy_or(call, reading, status, on);
  }
}

/// Gives the origin's meta, without the value, for a key that has no copy or too old a one.
omnistore_status Cache::fetch_meta(Call call, const ReadRequest &reading, const CopyResult &look) {
  const std::uint64_t seen = cleared_;
  omnistore::ValueSink meta;
  CapturingCall on(call);
  const omnistore_get_request asked{sizeof asked, reading.request.flags | OMNISTORE_GET_META, 0, UINT64_MAX};
  const omnistore_status status = origin_.stat(on, reading.key, asked, meta);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return from_copy_or(call, reading, status, on);
  if (const Flights::Flight flight = flights_.try_begin(reading.key)) {
    if (status == OMNISTORE_NOT_FOUND) store_absence(call, reading.key);
    if (status == OMNISTORE_OK && look.has_copy() && look.record.same(meta.meta()))
      renew(call, reading.key, look.record, meta.meta(), seen);
  }
  if (status == OMNISTORE_NOT_FOUND) return status;
  const omnistore_meta shown = meta.meta();
  return reading.sink.begin(&reading.sink, &shown, nullptr);
}

// --------------------------------------------------------------------------------------------------- in the background

void Cache::refresh_later(std::string_view key) {
  {
    const std::lock_guard lock(refresh_mutex_);
    if (refreshing_.contains(key)) return;
    if (!failing_.empty())
      if (const auto found = failing_.find(std::string(key)); found != failing_.end() && now() < found->second.until)
        return;
    refreshing_.emplace(key);
  }
  if (workers_.submit(std::string(key))) return;
  const std::lock_guard lock(refresh_mutex_);
  refreshing_.erase(refreshing_.find(key));
}

void Cache::refresh(Call call, const std::string &key) {
  try {
    refresh_in(call, key);
  } catch (const std::exception &error) {
    note_failure(key, error.what());
  }
  const std::lock_guard lock(refresh_mutex_);
  refreshing_.erase(key);
}

void Cache::refresh_in(Call call, const std::string &key) {
  const Flights::Flight flight = flights_.try_begin(key);
  if (!flight) return; // another request or write of the key is under way
  const std::optional<Record> have = records_.find(call, key);
  if (!have || have->absent || age_of(*have, now()) == Age::fresh) return;
  const std::uint64_t seen = cleared_;
  for (unsigned attempt = 0;; ++attempt) {
    FetchSink fetched(settings_.largest, nullptr);
    CapturingCall on(call);
    bool unchanged = false;
    const std::int64_t asked = now();
    const omnistore_status status = request_value(on, key, &*have, fetched, unchanged);
    if (fetched.passed() || status == OMNISTORE_NOT_FOUND) {
      status == OMNISTORE_NOT_FOUND ? store_absence(call, key) : static_cast<void>(drop(call, key));
      report(key, status == OMNISTORE_NOT_FOUND ? OMNISTORE_EVENT_REMOVE : OMNISTORE_EVENT_UPDATE,
             status == OMNISTORE_NOT_FOUND ? OMNISTORE_CAUSE_REMOVED : OMNISTORE_CAUSE_NONE);
      return note_success(key);
    }
    if (status == OMNISTORE_OK && unchanged) {
      ++refreshes_;
      return renew(call, key, *have, fetched.meta(), seen), note_success(key);
    }
    if (status == OMNISTORE_OK) {
      ++refreshes_;
      Record record;
      record.take(fetched.meta(), asked);
      if (store_copy(call, key, fetched.value(), fetched.meta().user, std::move(record), seen) == OMNISTORE_OK)
        report(key, OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE);
      return note_success(key);
    }
    if (call.remaining() == 0) return; // the store closes
    if (may_pass(status) && attempt < settings_.retry && pause(call, attempt)) continue;
    return note_failure(key, on.reason());
  }
}

/// Notes a failed refresh. The stale copy stays, and the key is not refreshed for a while.
void Cache::note_failure(const std::string &key, const std::string &message) {
  ++refresh_failures_;
  {
    const std::lock_guard lock(refresh_mutex_);
    if (failing_.size() >= max_failing) failing_.clear();
    Backoff &failing = failing_.try_emplace(key, Backoff{0, first_rest / 2}).first->second;
    failing.pause = std::min(failing.pause * 2, longest_rest);
    failing.until = now() + failing.pause;
  }
  warn("a refresh failed; the stale copy stays: " + message);
}

void Cache::note_success(const std::string &key) {
  const std::lock_guard lock(refresh_mutex_);
  failing_.erase(key);
}

} // namespace cache
