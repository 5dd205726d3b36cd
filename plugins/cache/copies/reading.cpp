// SPDX-License-Identifier: Apache-2.0
// How a copy is read, and how old it is.
#include <algorithm>

#include "copies/copies.hpp"

namespace cache {

using omnistore::Call, omnistore::CapturingCall, omnistore::is_failure;

Copies::Copies(const omnistore_host &host, const Settings &settings, omnistore::Child store,
               const omnistore::CoherentWatch *coherence, QuietLog &log)
    : host_(host), settings_(settings), store_(store), coherence_(coherence), log_(log),
      keeps_(store.can(OMNISTORE_NEVER_BLOCKS)), records_(store) {}

/// Returns false if another host may have changed the value since the origin gave or confirmed it.
bool Copies::trusts(std::string_view key, const Record &record) const {
  return !coherence_ || (!record.doubtful && coherence_->trusts(key, record.ticket));
}

Age Copies::age_of(std::string_view key, const Record &record, std::int64_t now) const {
  if (record.expiry != 0 && record.expiry <= now) return Age::over;
  const std::int64_t age = now - record.checked;
  if (!trusts(key, record)) return Age::doubted;
  if (age >= 0 && age <= settings_.max_age && !record.doubtful) return Age::fresh;
  const std::int64_t behind =
      std::max<std::int64_t>(age - settings_.max_age, 0); // an age in the future counts as stale
  if (settings_.revalidate && behind <= settings_.max_stale && !record.doubtful) return Age::stale;
  return behind <= settings_.stale_if_error ? Age::old : Age::over;
}

Age Copies::judge(void *judging, const omnistore_meta &copy, Record &record) {
  const AgeQuery &self = *static_cast<const AgeQuery *>(judging);
  std::optional<Record> known = self.copies->records_.known(self.key);
  if (!known || known->absent || known->of != state_of(copy)) return Age::unknown;
  record = std::move(*known);
  return self.copies->age_of(self.key, record, self.now);
}

CopyResult Copies::read(Call call, const ReadRequest &reading, Age oldest) {
  if (!records_.is_settled()) {
    CapturingCall on(call);
    if (!records_.settle_clears(on))
      return log_.warn("looking for a clear that was cut off: " + on.reason()), CopyResult();
  }
  omnistore_get_request request = reading.request;
  request.flags |= OMNISTORE_GET_META; // the state of the copy is made of its meta
  for (bool again = false;; again = true) {
    AgeQuery judging{this, reading.key, now()};
    CopyFilter gate(reading.sink, reading.request, keeps_, oldest, &Copies::judge, &judging);
    if (reading.asks_user_alone()) gate.need_user();
    CapturingCall on(call);
    omnistore_status status =
        reading.stat ? store_.stat(on, reading.key, request, gate) : store_.get(on, reading.key, request, gate);
    if (status == OMNISTORE_OK && !gate.held_back()) return {true, gate.finish(), gate.age(), gate.record()};
    if (gate.begun()) return {true, call.fail(status, on.reason()), gate.age(), gate.record()};
    if (gate.held_back() && gate.age() != Age::unknown) return {false, status, gate.age(), gate.record()};
    if (gate.held_back()) {
      // Try once more with the record beside the copy: the one in memory is missing or outdated.
      if (!again && records_.read_again(on, reading.key)) continue;
      return {false, status, Age::unknown, {}};
    }
    if (status == OMNISTORE_NOT_FOUND && settings_.negative_max_age != 0) {
      const std::optional<Record> record = records_.find(on, reading.key);
      if (is_absent(reading.key, record, judging.now)) return {true, OMNISTORE_NOT_FOUND, Age::fresh, *record};
    }
    if (is_failure(status) && status != OMNISTORE_TOO_LARGE) log_.warn("reading copies: " + on.reason());
    return {};
  }
}

/// Returns true if the record says that the origin has no such key, and this is recent enough.
bool Copies::is_absent(std::string_view key, const std::optional<Record> &record, std::int64_t now) const {
  if (!record || !record->absent || record->doubtful || !trusts(key, *record)) return false;
  const std::int64_t age = now - record->checked;
  return age >= 0 && age <= settings_.negative_max_age;
}

std::string_view Copies::state(Call call, std::string_view key, std::optional<Record> &record) {
  constexpr omnistore_get_request of_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
  if (!records_.is_settled() && !records_.settle_clears(call)) return "unknown";
  omnistore::ValueSink copy;
  const omnistore_status status = store_.stat(call, key, of_meta, copy);
  if (is_failure(status)) return "unknown";
  record = records_.find(call, key);
  if (status == OMNISTORE_NOT_FOUND) {
    const bool missing = is_absent(key, record, now());
    if (!missing) record.reset();
    return missing ? "missing" : "absent";
  }
  if (record && record->of != state_of(copy.meta())) record = records_.read_again(call, key); // as a get does
  if (!record || record->absent || record->of != state_of(copy.meta())) {
    record.reset();
    return "unknown";
  }
  switch (age_of(key, *record, now())) {
  case Age::fresh:
    return "fresh";
  case Age::stale:
    return "stale";
  case Age::doubted:
    return "unknown";
  case Age::old:
    return "old";
  default:
    return "over";
  }
}

} // namespace cache
