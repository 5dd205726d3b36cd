// SPDX-License-Identifier: Apache-2.0
// Writes: to the origin, and then to the copy.
#include <algorithm>

#include "cache.hpp"

namespace cache {

namespace {

/// Returns true if the outcome of a write at the origin shows that the record `copy` is outdated.
bool contradicts(const Record &copy, omnistore_status status, std::uint32_t condition, std::string_view etag) {
  if (status == OMNISTORE_NOT_FOUND) return !copy.absent;
  if (status != OMNISTORE_CONFLICT) return false;
  switch (condition) {
  case OMNISTORE_IF_ABSENT:
    return copy.absent;
  case OMNISTORE_IF_PRESENT:
    return !copy.absent;
  default:
    return !copy.absent && copy.etag == etag;
  }
}

} // namespace

/// Writes one key at the origin. If the origin refuses the write, the copy stays as it was. If the outcome is not
/// known, or the refusal shows that the copy is outdated, the copy stays doubtful. The caller changes the copy after a
/// success.
template <typename Write>
omnistore_status Cache::at_origin(Call call, std::string_view key, std::uint32_t condition, std::string_view etag,
                                  Write write) {
  const std::optional<Record> before = copies_.mark_doubtful(call, key);
  omnistore::RecordingCall noted(call);
  const omnistore_status status = write(noted);
  if (status != OMNISTORE_OK && !omnistore::may_have_changed(status, noted.details()) &&
      !(before && contradicts(*before, status, condition, etag)))
    copies_.restore(call, key, before);
  return status;
}

omnistore_status Cache::set(Call call, std::string_view key, const omnistore_set_request &request,
                            omnistore_sink *result) {
  if (is_reserved(key)) return origin_.set(call, key, request, result);
  const Flights::Flight flight = fetcher_.begin_flight(call, key);
  if (!flight) return call.late();
  const Seen seen = copies_.look_around(key);
  const std::int64_t asked = now();
  ResultSink stored(result);
  const omnistore_status status = at_origin(call, key, request.condition, as_view(request.etag),
                                            [&](Call on) { return origin_.set(on, key, request, &stored); });
  if (status != OMNISTORE_OK) return status;
  if (request.source || request.value.size > settings_.largest) {
    CapturingCall ignored(call);
    copies_.drop(ignored, key);
    return stored.taken;
  }
  Record record;
  if (stored.begun) record.take(stored.kept.meta(), asked);
  record.expiry = request.expiry;
  record.size = request.value.size;
  record.user = digest_of(as_view(request.user));
  record.own_write = true;
  copies_.put(call, key, as_view(request.value), request.user, std::move(record), seen);
  return stored.taken;
}

omnistore_status Cache::remove(Call call, std::string_view key, const omnistore_remove_request &request) {
  if (is_reserved(key)) return origin_.remove(call, key, request);
  const Flights::Flight flight = fetcher_.begin_flight(call, key);
  if (!flight) return call.late();
  const omnistore_status status = at_origin(call, key, request.condition, as_view(request.etag),
                                            [&](Call on) { return origin_.remove(on, key, request); });
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
  // The outcome at the origin counts. A copy that cannot be removed is not used any more, since its record is gone or
  // is ignored.
  CapturingCall on(call);
  if (copies_.drop(on, key) != OMNISTORE_OK) log_.warn("removing a copy: " + on.reason());
  return status;
}

omnistore_status Cache::touch(Call call, std::string_view key, const omnistore_touch_request &request) {
  if (is_reserved(key)) return origin_.touch(call, key, request);
  const Flights::Flight flight = fetcher_.begin_flight(call, key);
  if (!flight) return call.late();
  const omnistore_status status =
      at_origin(call, key, OMNISTORE_ALWAYS, {}, [&](Call on) { return origin_.touch(on, key, request); });
  if (status == OMNISTORE_OK) {
    CapturingCall ignored(call);
    copies_.drop(ignored, key);
  }
  return status;
}

omnistore_status Cache::clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  const std::string_view base = as_view(request.base);
  CapturingCall ignored(call);
  const bool noted = copies_.begin_clear(ignored, base) == OMNISTORE_OK;
  const omnistore_status status = clear_both(call, request, removed);
  if (!noted) log_.warn("noting a clear: " + ignored.reason());
  copies_.end_clear(ignored, base);
  return status;
}

omnistore_status Cache::clear_both(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  omnistore::RecordingCall noted(call);
  const omnistore_status status = origin_.clear(noted, request, removed);
  if (status != OMNISTORE_OK && !omnistore::clear_may_have_changed(status, noted.details())) return status;
  if (status != OMNISTORE_OK) {
    copies_.doubt(call, as_view(request.base));
    return status;
  }
  copies_.clear(call, request);
  return OMNISTORE_OK;
}

} // namespace cache
