// SPDX-License-Identifier: Apache-2.0
#include "storage/meter.hpp"

#include <algorithm>

namespace omnistore {

Meter::~Meter() {
  for (auto &block : blocks_) delete block.load(std::memory_order_relaxed);
}

Meter::Block &Meter::make(unsigned slot) {
  auto fresh = std::make_unique<Block>();
  Block *known = nullptr;
  if (blocks_[slot].compare_exchange_strong(known, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
  return *known;
}

void Meter::Here::time(Kind kind, std::int64_t nanoseconds) {
  auto &latency = block_.latency[kind];
  const auto bucket = std::lower_bound(latency_bounds_ns.begin(), latency_bounds_ns.end(), nanoseconds);
  bump(latency.counts[static_cast<std::size_t>(bucket - latency_bounds_ns.begin())], 1);
  bump(latency.sum_ns, static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0)));
}

Meter::Totals Meter::totals() const {
  Totals totals;
  for (const auto &pointer : blocks_) {
    const Block *block = pointer.load(std::memory_order_acquire);
    if (!block) continue;
    for (std::size_t i = 0; i < totals.counts.size(); ++i)
      totals.counts[i] += block->counts[i].load(std::memory_order_relaxed);
    totals.in_flight += block->in_flight.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < status_kinds; ++i)
      totals.failures[i] += block->failures[i].load(std::memory_order_relaxed);
    for (std::size_t kind = 0; kind < totals.latency.size(); ++kind) {
      for (std::size_t i = 0; i < totals.latency[kind].counts.size(); ++i)
        totals.latency[kind].counts[i] += block->latency[kind].counts[i].load(std::memory_order_relaxed);
      totals.latency[kind].sum_ns += block->latency[kind].sum_ns.load(std::memory_order_relaxed);
    }
  }
  return totals;
}

} // namespace omnistore
