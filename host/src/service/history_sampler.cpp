// SPDX-License-Identifier: Apache-2.0
#include "service/history_sampler.hpp"

#include "base/clock.hpp"

namespace omnistore::service {

void HistorySampler::start() {
  history_.add(now_ms(), {});
  periodic_.start(report::History::interval, [this] { history_.add(now_ms(), storage_.stats()); });
}

void HistorySampler::stop() { periodic_.end(); }

} // namespace omnistore::service
