// SPDX-License-Identifier: Apache-2.0
// The state of a key's copy (omnistore/ext/explain.h), which shows a user why a get gave a value, and the counters
// (ext/stats.h). Neither calls the origin.
#include <omnistore/value.hpp>

#include "cache.hpp"

namespace cache {

/// Returns the state of a key's copy in the words of explain.h. Sets `record` if there is one.
std::string_view Cache::state_of_copy(Call call, std::string_view key, std::optional<Record> &record) {
  constexpr omnistore_get_request of_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
  if (!records_.is_settled() && !records_.settle_clears(call)) return "unknown";
  omnistore::ValueSink copy;
  const omnistore_status status = copies_.stat(call, key, of_meta, copy);
  if (is_failure(status)) return "unknown";
  record = records_.find(call, key);
  if (status == OMNISTORE_NOT_FOUND) {
    const std::int64_t age = record ? now() - record->checked : -1;
    const bool missing = record && record->absent && !record->doubtful && age >= 0 && age <= settings_.negative_max_age;
    if (!missing) record.reset();
    return missing ? "missing" : "absent";
  }
  if (record && record->of != state_of(copy.meta())) record = records_.read_again(call, key); // as a get does
  if (!record || record->absent || record->of != state_of(copy.meta())) {
    record.reset();
    return "unknown";
  }
  switch (age_of(*record, now())) {
  case Age::fresh:
    return "fresh";
  case Age::stale:
    return "stale";
  case Age::old:
    return "old";
  default:
    return "over";
  }
}

std::string Cache::explain(Call call, std::string_view key) {
  if (is_reserved(key)) return {};
  std::optional<Record> record;
  std::string text = "{\"state\":\"" + std::string(state_of_copy(call, key, record)) + '"';
  if (record) text += ",\"age\":" + std::to_string(now() - record->checked);
  text += ",\"maxAge\":" + std::to_string(settings_.max_age);
  if (record) text += ",\"checked\":" + std::to_string(record->checked);
  bool refreshing = false, failing = false;
  {
    const std::lock_guard lock(refresh_mutex_);
    refreshing = refreshing_.contains(key);
    if (const auto found = failing_.find(std::string(key)); found != failing_.end())
      failing = now() < found->second.until;
  }
  text += std::string(",\"refreshing\":") + (refreshing ? "true" : "false");
  text += std::string(",\"failing\":") + (failing ? "true" : "false");
  return text + "}";
}

std::string Cache::stats(Call) {
  std::size_t running = 0;
  {
    const std::lock_guard lock(refresh_mutex_);
    running = refreshing_.size();
  }
  return "{\"counters\":{\"fetches\":" + std::to_string(fetches_) + ",\"refreshes\":" + std::to_string(refreshes_) +
         ",\"refresh_failures\":" + std::to_string(refresh_failures_) +
         "},\"gauges\":{\"refreshes_running\":" + std::to_string(running) + "}}";
}

} // namespace cache
