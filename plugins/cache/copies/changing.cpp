// SPDX-License-Identifier: Apache-2.0
// How copies and their records change.
#include <algorithm>
#include <utility>

#include "copies/copies.hpp"

namespace cache {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::CapturingCall, omnistore::is_failure;

namespace {

constexpr omnistore_get_request get_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};

} // namespace

Seen Copies::look_around(std::string_view key) const {
  return {cleared_, coherence_ ? coherence_->begin(key) : omnistore::Coherence::Ticket()};
}

/// Returns the expiry of a copy.
std::int64_t Copies::until(const Record &record) const {
  const std::int64_t end =
      now() + settings_.max_age + std::max(settings_.revalidate ? settings_.max_stale : 0, settings_.stale_if_error);
  return record.expiry == 0 ? end : std::min(end, record.expiry);
}

omnistore_status Copies::put(Call outer, std::string_view key, std::string_view value, omnistore_bytes user,
                             Record record, const Seen &seen) {
  const std::shared_lock lock(clearing_);
  if (cleared_ != seen.clears) return OMNISTORE_CONFLICT;
  record.checked = now();
  record.ticket = seen.ticket; // it decides if the copy is used: an event may have come since the request began
  CapturingCall call(outer);
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes(value);
  request.user = user;
  request.expiry = until(record);
  ResultSink result(nullptr);
  omnistore_status status = store_.set(call, key, request, &result);
  if (status == OMNISTORE_OK && (!result.begun || result.kept.etag.empty()))
    status = store_.stat(call, key, get_meta, result.kept);
  if (status == OMNISTORE_OK) {
    record.of = state_of(result.kept.meta());
    status = records_.put(call, key, record, request.expiry);
  }
  if (status == OMNISTORE_OK) return status;
  if (status != OMNISTORE_TOO_LARGE) log_.warn("keeping a copy: " + call.reason());
  CapturingCall ignored(outer);
  records_.drop(ignored, key);
  store_.remove(ignored, key);
  return status;
}

void Copies::renew(Call outer, std::string_view key, Record record, const omnistore_meta &origin, const Seen &seen) {
  const std::shared_lock lock(clearing_);
  if (cleared_ != seen.clears) return;
  record.checked = now();
  record.doubtful = record.own_write = false;
  record.ticket = seen.ticket;
  CapturingCall call(outer);
  const std::int64_t end = until(record);
  omnistore_touch_request touch{sizeof touch, OMNISTORE_TOUCH_EXPIRY, end, {nullptr, 0}};
  if (origin.flags & OMNISTORE_META_USER) { // it may have changed although the value has not
    const std::string user = digest_of(as_view(origin.user));
    if (record.user != user) touch.flags |= OMNISTORE_TOUCH_USER, touch.user = origin.user, record.user = user;
  }
  omnistore_status status = store_.touch(call, key, touch);
  if (status == OMNISTORE_OK) {
    // A touch may change the state of the copy, and the record must describe the new state.
    omnistore::ValueSink meta;
    status = store_.stat(call, key, get_meta, meta);
    record.of = state_of(meta.meta());
  }
  if (status == OMNISTORE_OK) status = records_.put(call, key, record, end);
  if (is_failure(status)) log_.warn("renewing a copy: " + call.reason());
}

void Copies::put_absence(Call outer, std::string_view key, const Seen &seen) {
  const std::shared_lock lock(clearing_);
  CapturingCall call(outer);
  store_.remove(call, key);
  if (settings_.negative_max_age == 0) {
    records_.drop(call, key);
    return;
  }
  Record record;
  record.absent = true;
  record.ticket = seen.ticket;
  record.checked = now();
  if (records_.put(call, key, record, record.checked + settings_.negative_max_age) != OMNISTORE_OK)
    records_.drop(call, key);
}

omnistore_status Copies::drop(Call call, std::string_view key) {
  const std::shared_lock lock(clearing_);
  const omnistore_status record = records_.drop(call, key);
  const omnistore_status copy = store_.remove(call, key);
  return is_surely_absent(copy) ? record : copy;
}

std::optional<Record> Copies::mark_doubtful(Call outer, std::string_view key) {
  CapturingCall call(outer);
  std::optional<Record> before = records_.find(call, key);
  if (!before || before->doubtful) return before;
  Record doubtful = *before;
  doubtful.doubtful = true;
  if (records_.put(call, key, doubtful, end_of(doubtful)) != OMNISTORE_OK) records_.drop(call, key);
  return before;
}

void Copies::restore(Call outer, std::string_view key, const std::optional<Record> &before) {
  if (!before || before->doubtful) return;
  CapturingCall call(outer);
  records_.put(call, key, *before, end_of(*before)); // if it fails, the copy stays doubtful
}

/// Returns the expiry of a record.
std::int64_t Copies::end_of(const Record &record) const {
  return record.absent ? record.checked + settings_.negative_max_age : until(record);
}

void Copies::clear(Call outer, const omnistore_clear_request &request) {
  const std::unique_lock lock(clearing_);
  ++cleared_;
  CapturingCall call(outer);
  const omnistore_status records = records_.clear(call, as_view(request.base));
  if (records != OMNISTORE_OK) records_.postpone_clear(as_view(request.base));
  const omnistore_status copies = store_.clear(call, request);
  if (records != OMNISTORE_OK || copies != OMNISTORE_OK) log_.warn("clearing the copies: " + call.reason());
}

/// A clear of the origin failed and may have removed some keys.
void Copies::doubt(Call outer, std::string_view base) {
  const std::unique_lock lock(clearing_);
  ++cleared_;
  CapturingCall call(outer);
  records_.doubt(call, base);
}

} // namespace cache
