// SPDX-License-Identifier: Apache-2.0
// Requests to the origin: for a reader who has no copy, and in the background for a stale copy.
#include <algorithm>
#include <random>

#include "fetching/fetcher.hpp"

namespace cache {

using omnistore::as_bytes, omnistore::Call, omnistore::CapturingCall, omnistore::is_failure;

namespace {

constexpr omnistore_get_request get_whole{sizeof(omnistore_get_request), OMNISTORE_GET_META | OMNISTORE_GET_USER, 0,
                                          UINT64_MAX};
/// A stat without user meta, which could cost the origin another request.
constexpr omnistore_get_request stat_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
constexpr std::int64_t first_pause = 100, longest_pause = 10'000; // between attempts, milliseconds

bool is_whole(const omnistore_get_request &request) { return request.offset == 0 && request.length == UINT64_MAX; }

/// Returns true if another attempt may succeed.
bool may_pass(omnistore_status status) { return status == OMNISTORE_UNAVAILABLE || status == OMNISTORE_TIMEOUT; }

} // namespace

Fetcher::Fetcher(const omnistore_host &host, const Settings &settings, omnistore::Child origin, Copies &copies,
                 Reports &reports, const omnistore::CoherentWatch *coherence, QuietLog &log)
    : host_(host), settings_(settings), origin_(origin),
      revalidates_(static_cast<const omnistore_revalidate *>(
          origin.raw()->driver->extension(origin.raw()->self, OMNISTORE_REVALIDATE))),
      copies_(copies), reports_(reports), coherence_(coherence),
      refresher_(host, settings.refreshes, log, [this](Call call, const std::string &key) { refresh(call, key); }) {}

/// Returns true if it is worth a request without a value to find out if the copy is still the same. After an event it
/// is not, unless the event is probably that of this cache's own write.
bool Fetcher::is_probably_same(const CopyResult &look) const {
  if (!look.has_copy()) return false;
  return look.age != Age::doubted || look.record.doubtful || look.record.own_write ||
         coherence_->lost_since(look.record.ticket);
}

/// Requests the whole value from the origin, once. `have` (may be null) is the record of the copy. If the value is
/// still the same, sets `unchanged`.
omnistore_status Fetcher::request_value(Call call, std::string_view key, const Record *have, FetchSink &into,
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
bool Fetcher::pause(Call call, unsigned attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const std::int64_t whole = std::min(longest_pause, first_pause << std::min(attempt, 10u));
  std::int64_t left = std::uniform_int_distribution<std::int64_t>(whole / 2, whole)(random);
  while (left > 0) {
    const std::int64_t step = std::min({left, call.remaining(), std::int64_t{200}});
    if (step <= 0 || !refresher_.pause(std::chrono::milliseconds(step))) return false;
    left -= step;
  }
  return true;
}

// ------------------------------------------------------------------------------------------------------ for a reader

Flights::Flight Fetcher::begin_flight(Call call, std::string_view key) {
  Flights::Flight flight = flights_.begin(call, key);
  if (!flight) call.fail(call.late(), "another request for the key waits for the origin", omnistore::nothing_done);
  return flight;
}

omnistore_status Fetcher::fetch(Call call, const ReadRequest &reading, CopyResult look, std::uint64_t landings) {
  Flights::Flight flight = begin_flight(call, reading.key);
  if (!flight) return call.late();
  if (flights_.landings(reading.key) != landings) { // another request may have fetched it meanwhile
    look = copies_.read(call, reading, Age::stale);
    if (look.done) return look.status;
  }
  return fetch_in(call, reading, look, flight);
}

omnistore_status Fetcher::fetch_in(Call call, const ReadRequest &reading, const CopyResult &look,
                                   Flights::Flight &flight) {
  for (unsigned attempt = 0;; ++attempt) {
    const Seen seen = copies_.look_around(reading.key);
    FetchSink fetched(settings_.largest, is_whole(reading.request) ? &reading.sink : nullptr);
    CapturingCall on(call);
    bool unchanged = false;
    const std::int64_t asked = now();
    const omnistore_status status =
        request_value(on, reading.key, is_probably_same(look) ? &look.record : nullptr, fetched, unchanged);
    if (fetched.passed()) {
      copies_.drop(call, reading.key);
      flight.land();
      if (is_whole(reading.request))
        return status == OMNISTORE_OK ? status : call.fail(status, on.reason(), on.details());
      return origin_.get(call, reading.key, reading.request, reading.sink);
    }
    if (status == OMNISTORE_OK && unchanged) {
      copies_.renew(call, reading.key, look.record, fetched.meta(), seen);
      const CopyResult again = copies_.read(call, reading, Age::stale);
      return again.done ? again.status : origin_.get(call, reading.key, reading.request, reading.sink);
    }
    if (status == OMNISTORE_OK) {
      ++fetches_;
      Record record;
      record.take(fetched.meta(), asked);
      omnistore_meta meta = fetched.meta();
      copies_.put(call, reading.key, fetched.value(), meta.user, std::move(record), seen);
      flight.land(); // before the reader gets the value, since it may be slow
      if (!(reading.request.flags & OMNISTORE_GET_USER)) meta.flags &= ~OMNISTORE_META_USER, meta.user = {nullptr, 0};
      return give(fetched.value(), meta, reading.request, reading.sink);
    }
    if (status == OMNISTORE_NOT_FOUND) {
      copies_.put_absence(call, reading.key, seen);
      return status;
    }
    if (may_pass(status) && attempt < settings_.retry && call.remaining() > 0 && pause(call, attempt)) continue;
    return from_copy_or(call, reading, status, on);
  }
}

/// Called after the origin failed: serves an old copy, or returns the failure.
omnistore_status Fetcher::from_copy_or(Call call, const ReadRequest &reading, omnistore_status failure,
                                       const CapturingCall &failed) {
  if (is_failure(failure))
    if (const CopyResult look = copies_.read(call, reading, Age::old); look.done && look.status != OMNISTORE_NOT_FOUND)
      return look.status;
  std::string message = failed.reason();
  if (is_failure(failure)) message = "the origin (" + std::string(origin_.name()) + "): " + message;
  return call.fail(failure, message, failed.details());
}

omnistore_status Fetcher::fetch_meta(Call call, const ReadRequest &reading, const CopyResult &look,
                                     std::uint64_t landings) {
  const Seen seen = copies_.look_around(reading.key);
  omnistore::ValueSink meta;
  CapturingCall on(call);
  const omnistore_get_request asked{sizeof asked, reading.request.flags | OMNISTORE_GET_META, 0, UINT64_MAX};
  const omnistore_status status = origin_.stat(on, reading.key, asked, meta);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return from_copy_or(call, reading, status, on);
  // If a write or a get has overtaken this request, the response may be older than the copy.
  if (const Flights::Flight flight = flights_.try_begin(reading.key);
      flight && flights_.landings(reading.key) == landings) {
    if (status == OMNISTORE_NOT_FOUND) copies_.put_absence(call, reading.key, seen);
    if (status == OMNISTORE_OK && look.has_copy() && look.record.same(meta.meta()))
      copies_.renew(call, reading.key, look.record, meta.meta(), seen);
  }
  if (status == OMNISTORE_NOT_FOUND) return status;
  const omnistore_meta shown = meta.meta();
  return reading.sink.begin(&reading.sink, &shown, nullptr);
}

// --------------------------------------------------------------------------------------------------- in the background

void Fetcher::refresh(Call call, const std::string &key) {
  const Flights::Flight flight = flights_.try_begin(key);
  if (!flight) return; // another request or write of the key is under way
  const std::optional<Record> have = copies_.find(call, key);
  if (!have || have->absent || copies_.age_of(key, *have, now()) == Age::fresh) return;
  for (unsigned attempt = 0;; ++attempt) {
    const Seen seen = copies_.look_around(key);
    FetchSink fetched(settings_.largest, nullptr);
    CapturingCall on(call);
    bool unchanged = false;
    const std::int64_t asked = now();
    const omnistore_status status = request_value(on, key, &*have, fetched, unchanged);
    if (fetched.passed() || status == OMNISTORE_NOT_FOUND) {
      status == OMNISTORE_NOT_FOUND ? copies_.put_absence(call, key, seen) : static_cast<void>(copies_.drop(call, key));
      report(key, status == OMNISTORE_NOT_FOUND ? OMNISTORE_EVENT_REMOVE : OMNISTORE_EVENT_UPDATE,
             status == OMNISTORE_NOT_FOUND ? OMNISTORE_CAUSE_REMOVED : OMNISTORE_CAUSE_NONE);
      return refresher_.note_success(key);
    }
    if (status == OMNISTORE_OK && unchanged) {
      ++refreshes_;
      return copies_.renew(call, key, *have, fetched.meta(), seen), refresher_.note_success(key);
    }
    if (status == OMNISTORE_OK) {
      ++refreshes_;
      Record record;
      record.take(fetched.meta(), asked);
      if (copies_.put(call, key, fetched.value(), fetched.meta().user, std::move(record), seen) == OMNISTORE_OK)
        report(key, OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE);
      return refresher_.note_success(key);
    }
    if (call.remaining() == 0) return; // the store closes
    if (may_pass(status) && attempt < settings_.retry && pause(call, attempt)) continue;
    return refresher_.note_failure(key, on.reason());
  }
}

void Fetcher::report(std::string_view key, std::uint32_t type, std::uint32_t cause) {
  if (!coherence_) reports_.report(key, type, cause);
}

} // namespace cache
