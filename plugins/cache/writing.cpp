// SPDX-License-Identifier: Apache-2.0
// Stores and drops copies, and writes to the origin.
#include <algorithm>
#include <cstring>

#include "cache.hpp"

namespace cache {

namespace {

constexpr omnistore_get_request get_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
constexpr std::int64_t warn_interval = 10'000; // milliseconds

/// Stores the meta that a set gives, and passes it on. If the outer sink fails, the set does not.
class ResultSink : public omnistore_sink {
public:
  explicit ResultSink(omnistore_sink *outer)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, outer_(outer) {}
  bool begun = false;
  omnistore_status taken = OMNISTORE_OK; ///< the status of the outer sink
  omnistore::ValueSink kept;

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    auto &self = *static_cast<ResultSink *>(sink);
    if (buffer) *buffer = nullptr;
    self.begun = self.kept.begin(&self.kept, meta, nullptr) == OMNISTORE_OK;
    if (self.outer_) self.taken = self.outer_->begin(self.outer_, meta, nullptr);
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
  omnistore_sink *outer_;
};

} // namespace

/// Returns the expiry of a copy.
std::int64_t Cache::until(const Record &record) const {
  const std::int64_t end =
      now() + settings_.max_age + std::max(settings_.revalidate ? settings_.max_stale : 0, settings_.stale_if_error);
  return record.expiry == 0 ? end : std::min(end, record.expiry);
}

/// Stores a copy of the value that the origin just gave, unless a clear came since `seen`. If that fails, drops the old
/// copy.
omnistore_status Cache::store_copy(Call outer, std::string_view key, std::string_view value, omnistore_bytes user,
                                   Record record, std::uint64_t seen) {
  const std::shared_lock lock(clearing_);
  if (cleared_ != seen) return OMNISTORE_CONFLICT;
  record.checked = now();
  CapturingCall call(outer);
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes(value);
  request.user = user;
  request.expiry = until(record);
  ResultSink result(nullptr);
  omnistore_status status = copies_.set(call, key, request, &result);
  if (status == OMNISTORE_OK && (!result.begun || result.kept.etag.empty()))
    status = copies_.stat(call, key, get_meta, result.kept);
  if (status == OMNISTORE_OK) {
    record.of = state_of(result.kept.meta());
    status = records_.put(call, key, record, request.expiry);
  }
  if (status == OMNISTORE_OK) return status;
  if (status != OMNISTORE_TOO_LARGE) warn("keeping a copy: " + call.reason());
  CapturingCall ignored(outer);
  records_.drop(ignored, key);
  copies_.remove(ignored, key);
  return status;
}

/// Makes a copy fresh again, because the origin's value has not changed.
void Cache::renew(Call outer, std::string_view key, Record record, const omnistore_meta &origin, std::uint64_t seen) {
  const std::shared_lock lock(clearing_);
  if (cleared_ != seen) return;
  record.checked = now();
  record.doubtful = false;
  CapturingCall call(outer);
  const std::int64_t end = until(record);
  omnistore_touch_request touch{sizeof touch, OMNISTORE_TOUCH_EXPIRY, end, {nullptr, 0}};
  if (origin.flags & OMNISTORE_META_USER) { // it may have changed although the value has not
    const std::string user = digest_of(as_view(origin.user));
    if (record.user != user) touch.flags |= OMNISTORE_TOUCH_USER, touch.user = origin.user, record.user = user;
  }
  omnistore_status status = copies_.touch(call, key, touch);
  if (status == OMNISTORE_OK) {
    // A touch may change the state of the copy, and the record must describe the new state.
    omnistore::ValueSink meta;
    status = copies_.stat(call, key, get_meta, meta);
    record.of = state_of(meta.meta());
  }
  if (status == OMNISTORE_OK) status = records_.put(call, key, record, end);
  if (is_failure(status)) warn("renewing a copy: " + call.reason());
}

/// Notes that the origin has no such key.
void Cache::store_absence(Call outer, std::string_view key) {
  const std::shared_lock lock(clearing_);
  CapturingCall call(outer);
  copies_.remove(call, key);
  if (settings_.negative_max_age == 0) {
    records_.drop(call, key);
    return;
  }
  Record record;
  record.absent = true;
  record.checked = now();
  if (records_.put(call, key, record, record.checked + settings_.negative_max_age) != OMNISTORE_OK)
    records_.drop(call, key);
}

/// Removes the copy of a key.
omnistore_status Cache::drop(Call call, std::string_view key) {
  const std::shared_lock lock(clearing_);
  const omnistore_status record = records_.drop(call, key);
  const omnistore_status copy = copies_.remove(call, key);
  return is_surely_absent(copy) ? record : copy;
}

/// Marks the copy as doubtful before a write. If the outcome of the write is not known, or the host is killed, the
/// origin is read before the copy is used again. Returns the old record, for restore_record().
std::optional<Record> Cache::mark_doubtful(Call outer, std::string_view key) {
  CapturingCall call(outer);
  std::optional<Record> before = records_.find(call, key);
  if (!before || before->doubtful) return before;
  Record doubtful = *before;
  doubtful.doubtful = true;
  if (records_.put(call, key, doubtful, end_of(doubtful)) != OMNISTORE_OK) records_.drop(call, key);
  return before;
}

/// Restores the record after a write that changed nothing.
void Cache::restore_record(Call outer, std::string_view key, const std::optional<Record> &before) {
  if (!before || before->doubtful) return;
  CapturingCall call(outer);
  records_.put(call, key, *before, end_of(*before)); // if it fails, the copy stays doubtful
}

/// Returns the expiry of a record.
std::int64_t Cache::end_of(const Record &record) const {
  return record.absent ? record.checked + settings_.negative_max_age : until(record);
}

/// Logs at most one line in ten seconds, since a store that is away would fill the log.
void Cache::warn(const std::string &message) {
  {
    const std::lock_guard lock(refresh_mutex_);
    if (warned_ != 0 && now() - warned_ < warn_interval) return;
    warned_ = now();
  }
  omnistore::log_line(host_, OMNISTORE_LOG_WARN, message);
}

// ----------------------------------------------------------------------------------------------------- user's writes

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
  const std::optional<Record> before = mark_doubtful(call, key);
  omnistore::RecordingCall noted(call);
  const omnistore_status status = write(noted);
  if (status != OMNISTORE_OK && !omnistore::may_have_changed(status, noted.details()) &&
      !(before && contradicts(*before, status, condition, etag)))
    restore_record(call, key, before);
  return status;
}

omnistore_status Cache::set(Call call, std::string_view key, const omnistore_set_request &request,
                            omnistore_sink *result) {
  if (is_reserved(key)) return origin_.set(call, key, request, result);
  const Flights::Flight flight = begin_flight(call, key);
  if (!flight) return call.late();
  const std::uint64_t seen = cleared_;
  const std::int64_t asked = now();
  ResultSink stored(result);
  const omnistore_status status = at_origin(call, key, request.condition, as_view(request.etag),
                                            [&](Call on) { return origin_.set(on, key, request, &stored); });
  if (status != OMNISTORE_OK) return status;
  if (request.source || request.value.size > settings_.largest) {
    CapturingCall ignored(call);
    drop(ignored, key);
    return stored.taken;
  }
  Record record;
  if (stored.begun) record.take(stored.kept.meta(), asked);
  record.expiry = request.expiry;
  record.size = request.value.size;
  record.user = digest_of(as_view(request.user));
  store_copy(call, key, as_view(request.value), request.user, std::move(record), seen);
  return stored.taken;
}

omnistore_status Cache::remove(Call call, std::string_view key, const omnistore_remove_request &request) {
  if (is_reserved(key)) return origin_.remove(call, key, request);
  const Flights::Flight flight = begin_flight(call, key);
  if (!flight) return call.late();
  const omnistore_status status = at_origin(call, key, request.condition, as_view(request.etag),
                                            [&](Call on) { return origin_.remove(on, key, request); });
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
  // The outcome at the origin counts. A copy that cannot be removed is not used any more, since its record is gone or
  // is ignored.
  CapturingCall on(call);
  if (drop(on, key) != OMNISTORE_OK) warn("removing a copy: " + on.reason());
  return status;
}

omnistore_status Cache::touch(Call call, std::string_view key, const omnistore_touch_request &request) {
  if (is_reserved(key)) return origin_.touch(call, key, request);
  const Flights::Flight flight = begin_flight(call, key);
  if (!flight) return call.late();
  const omnistore_status status =
      at_origin(call, key, OMNISTORE_ALWAYS, {}, [&](Call on) { return origin_.touch(on, key, request); });
  if (status == OMNISTORE_OK) {
    CapturingCall ignored(call);
    drop(ignored, key);
  }
  return status;
}

omnistore_status Cache::clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  const std::string_view base = as_view(request.base);
  CapturingCall ignored(call);
  const bool noted = records_.begin_clear(ignored, base) == OMNISTORE_OK;
  const omnistore_status status = clear_both(call, request, removed);
  if (!noted) warn("noting a clear: " + ignored.reason());
  records_.end_clear(ignored, base);
  return status;
}

omnistore_status Cache::clear_both(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  omnistore::RecordingCall noted(call);
  const omnistore_status status = origin_.clear(noted, request, removed);
  if (status != OMNISTORE_OK && !omnistore::clear_may_have_changed(status, noted.details())) return status;
  const std::unique_lock lock(clearing_);
  ++cleared_;
  CapturingCall on(call);
  if (status != OMNISTORE_OK) {
    records_.doubt(on, as_view(request.base));
    return status;
  }
  const omnistore_status records = records_.clear(on, as_view(request.base));
  if (records != OMNISTORE_OK) records_.postpone_clear(as_view(request.base));
  const omnistore_status copies = copies_.clear(on, request);
  if (records != OMNISTORE_OK || copies != OMNISTORE_OK) warn("clearing the copies: " + on.reason());
  return OMNISTORE_OK;
}

} // namespace cache
