// SPDX-License-Identifier: Apache-2.0
// The state of a key's copy (omnistore/ext/explain.h), which shows a user why a get gave a value, and the counters
// (ext/stats.h). Neither calls the origin.
#include <omnistore/value.hpp>

#include "cache.hpp"

namespace cache {

std::string Cache::explain(Call call, std::string_view key) {
  if (is_reserved(key)) return {};
  std::optional<Record> record;
  std::string text = "{\"state\":\"" + std::string(copies_.state(call, key, record)) + '"';
  if (record) text += ",\"age\":" + std::to_string(now() - record->checked);
  text += ",\"maxAge\":" + std::to_string(settings_.max_age);
  if (record) text += ",\"checked\":" + std::to_string(record->checked);
  text += std::string(",\"refreshing\":") + (fetcher_.refresher().is_refreshing(key) ? "true" : "false");
  text += std::string(",\"failing\":") + (fetcher_.refresher().is_delayed(key) ? "true" : "false");
  return text + "}";
}

std::string Cache::stats(Call) {
  std::string counters = "\"fetches\":" + std::to_string(fetcher_.fetches()) +
                         ",\"refreshes\":" + std::to_string(fetcher_.refreshes()) +
                         ",\"refresh_failures\":" + std::to_string(fetcher_.refresher().failures());
  std::string gauges = "\"refreshes_running\":" + std::to_string(fetcher_.refresher().running());
  if (coherence_) {
    counters += coherence_->counters(bypasses_);
    if (const std::string lag = coherence_->gauges(); !lag.empty()) gauges += "," + lag;
  }
  return "{\"counters\":{" + counters + "},\"gauges\":{" + gauges + "}}";
}

} // namespace cache
