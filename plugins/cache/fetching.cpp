// SPDX-License-Identifier: Apache-2.0
// How the origin is asked: by a reader who has no copy, and in the background for a copy that is stale.
#include <algorithm>
#include <random>

#include "cache.hpp"

namespace cache {

namespace {

constexpr omnistore_get_request WHOLE{sizeof(omnistore_get_request), OMNISTORE_GET_META | OMNISTORE_GET_USER, 0,
                                      UINT64_MAX};
/// A stat for no user meta, which may take the origin another request.
constexpr omnistore_get_request LOOK{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
constexpr std::int64_t FIRST_PAUSE = 100, LONGEST_PAUSE = 10'000; // between tries, milliseconds
constexpr std::int64_t FIRST_REST = 1'000, LONGEST_REST = 60'000; // after a refresh that failed
constexpr std::size_t MOST_FAILING = 10'000;

bool is_whole(const omnistore_get_request &request) { return request.offset == 0 && request.length == UINT64_MAX; }

/// Worth another try.
bool may_pass(omnistore_status status) { return status == OMNISTORE_UNAVAILABLE || status == OMNISTORE_TIMEOUT; }

} // namespace

/// One question to the origin for the whole value. `have` (may be null): what is known of the copy; where the value is
/// still that one, `unchanged` is set.
omnistore_status Cache::ask(Call call, std::string_view key, const Record *have, FetchSink &into,
                            bool &unchanged) const {
  unchanged = false;
  if (have && settings_.head_only) {
    omnistore::ValueSink meta;
    const omnistore_status status = origin_.stat(call, key, LOOK, meta);
    unchanged = status == OMNISTORE_OK && have->same(meta.meta());
    if (status != OMNISTORE_OK || unchanged) return status;
  } else if (have && !have->etag.empty() && revalidates_) {
    std::uint32_t same = 0;
    const omnistore_status status = revalidates_->get_changed(origin_.raw()->self, call.raw(), as_bytes(key), &WHOLE,
                                                              as_bytes(have->etag), &into, &same);
    unchanged = status == OMNISTORE_OK && same != 0;
    return status;
  }
  return origin_.get(call, key, WHOLE, into);
}

/// Waits before another try: longer each time, and not all at once. False: the caller's time is over.
bool Cache::pause(Call call, unsigned attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const std::int64_t whole = std::min(LONGEST_PAUSE, FIRST_PAUSE << std::min(attempt, 10u));
  std::int64_t left = std::uniform_int_distribution<std::int64_t>(whole / 2, whole)(random);
  while (left > 0) {
    const std::int64_t step = std::min({left, call.remaining(), std::int64_t{200}});
    if (step <= 0 || !workers_.pause(std::chrono::milliseconds(step))) return false;
    left -= step;
  }
  return true;
}

// ------------------------------------------------------------------------------------------------------ for a reader

Flights::Flight Cache::hold(Call call, std::string_view key) {
  Flights::Flight flight = flights_.begin(call, key);
  if (!flight) call.fail(call.late(), "another request for the key waits for the origin", omnistore::nothing_done);
  return flight;
}

omnistore_status Cache::fetch(Call call, const Reading &reading, Look look, std::uint64_t landings) {
  Flights::Flight flight = hold(call, reading.key);
  if (!flight) return call.late();
  if (flights_.landings() != landings) { // whoever was before has fetched it, or not
    look = from_copy(call, reading, Age::stale);
    if (look.answered) return look.status;
  }
  return fetch_in(call, reading, look, flight);
}

omnistore_status Cache::fetch_in(Call call, const Reading &reading, const Look &look, Flights::Flight &flight) {
  const std::uint64_t seen = cleared_;
  for (unsigned attempt = 0;; ++attempt) {
    FetchSink fetched(settings_.largest, is_whole(reading.request) ? &reading.sink : nullptr);
    CapturingCall on(call);
    bool unchanged = false;
    const std::int64_t asked = now();
    const omnistore_status status = ask(on, reading.key, look.has_copy() ? &look.record : nullptr, fetched, unchanged);
    if (fetched.passed()) {
      drop(call, reading.key);
      flight.land();
      if (is_whole(reading.request))
        return status == OMNISTORE_OK ? status : call.fail(status, on.reason(), on.details());
      return origin_.get(call, reading.key, reading.request, reading.sink);
    }
    if (status == OMNISTORE_OK && unchanged) {
      renew(call, reading.key, look.record, fetched.meta(), seen);
      const Look again = from_copy(call, reading, Age::stale);
      return again.answered ? again.status : origin_.get(call, reading.key, reading.request, reading.sink);
    }
    if (status == OMNISTORE_OK) {
      ++fetches_;
      Record record;
      record.take(fetched.meta(), asked);
      omnistore_meta meta = fetched.meta();
      keep(call, reading.key, fetched.value(), meta.user, std::move(record), seen);
      flight.land(); // the reader may be slow
      if (!(reading.request.flags & OMNISTORE_GET_USER)) meta.flags &= ~OMNISTORE_META_USER, meta.user = {nullptr, 0};
      return give(fetched.value(), meta, reading.request, reading.sink);
    }
    if (status == OMNISTORE_NOT_FOUND) {
      keep_absence(call, reading.key);
      return status;
    }
    if (may_pass(status) && attempt < settings_.retry && call.remaining() > 0 && pause(call, attempt)) continue;
    return from_copy_or(call, reading, status, on);
  }
}

/// Meta of what there is no copy of, or too old a one: the origin's, without the value.
omnistore_status Cache::ask_meta(Call call, const Reading &reading, const Look &look) {
  const std::uint64_t seen = cleared_;
  omnistore::ValueSink meta;
  CapturingCall on(call);
  const omnistore_get_request asked{sizeof asked, reading.request.flags | OMNISTORE_GET_META, 0, UINT64_MAX};
  const omnistore_status status = origin_.stat(on, reading.key, asked, meta);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return from_copy_or(call, reading, status, on);
  if (const Flights::Flight flight = flights_.try_begin(reading.key)) {
    if (status == OMNISTORE_NOT_FOUND) keep_absence(call, reading.key);
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
  if (!flight) return; // somebody else asks, or writes
  const std::optional<Record> have = records_.find(call, key);
  if (!have || have->absent || age_of(*have, now()) == Age::fresh) return;
  const std::uint64_t seen = cleared_;
  for (unsigned attempt = 0;; ++attempt) {
    FetchSink fetched(settings_.largest, nullptr);
    CapturingCall on(call);
    bool unchanged = false;
    const std::int64_t asked = now();
    const omnistore_status status = ask(on, key, &*have, fetched, unchanged);
    if (fetched.passed() || status == OMNISTORE_NOT_FOUND) {
      status == OMNISTORE_NOT_FOUND ? keep_absence(call, key) : static_cast<void>(drop(call, key));
      tell(key, status == OMNISTORE_NOT_FOUND ? OMNISTORE_EVENT_REMOVE : OMNISTORE_EVENT_UPDATE,
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
      if (keep(call, key, fetched.value(), fetched.meta().user, std::move(record), seen) == OMNISTORE_OK)
        tell(key, OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE);
      return note_success(key);
    }
    if (call.remaining() == 0) return; // the store closes
    if (may_pass(status) && attempt < settings_.retry && pause(call, attempt)) continue;
    return note_failure(key, on.reason());
  }
}

/// The stale copy stays. The key is not asked for again at once.
void Cache::note_failure(const std::string &key, const std::string &message) {
  ++refresh_failures_;
  {
    const std::lock_guard lock(refresh_mutex_);
    if (failing_.size() >= MOST_FAILING) failing_.clear();
    Failing &failing = failing_.try_emplace(key, Failing{0, FIRST_REST / 2}).first->second;
    failing.pause = std::min(failing.pause * 2, LONGEST_REST);
    failing.until = now() + failing.pause;
  }
  warn("a refresh failed, its stale copy stays: " + message);
}

void Cache::note_success(const std::string &key) {
  const std::lock_guard lock(refresh_mutex_);
  failing_.erase(key);
}

} // namespace cache
