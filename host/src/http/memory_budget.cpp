// SPDX-License-Identifier: Apache-2.0
#include "http/memory_budget.hpp"

#include <algorithm>

#include "base/memory_size.hpp"

namespace omnistore::http {

std::uint64_t memory_for_requests() {
  constexpr std::uint64_t mebibyte = 1024 * 1024;
  return std::clamp(base::memory_of_process() / 8, 64 * mebibyte, 512 * mebibyte);
}

MemoryBudget::MemoryBudget(std::uint64_t most) : most_(most != 0 ? most : memory_for_requests()) {}

MemoryBudget::Stats MemoryBudget::stats() const {
  return {used_.load(std::memory_order_relaxed), most_, peak_.load(std::memory_order_relaxed), spares_.kept(),
          refused_.load(std::memory_order_relaxed)};
}

bool MemoryBudget::try_take(std::size_t bytes) {
  const std::uint64_t now = used_.fetch_add(bytes) + bytes;
  if (now + spares_.kept() > most_) {
    if (spares_.kept() != 0) spares_.free_all();
    if (now > most_) {
      give_back(bytes);
      return false;
    }
  }
  raise_peak(now);
  return true;
}

/// More is taken than there is, spare blocks included: these go first.
void MemoryBudget::make_room(std::size_t bytes, bool granted) {
  if (spares_.kept() != 0) spares_.free_all();
  if (granted || used_.load() <= most_) return;
  give_back(bytes);
  refused_.fetch_add(1, std::memory_order_relaxed);
  throw OverBudget();
}

bool MemoryBudget::keep(Spares::Block block) {
  // While both count it, no other thread can take its place unseen.
  if (used_.load() + spares_.kept() > most_ || !spares_.keep(block)) return false;
  give_back(block.size);
  return true;
}

void MemoryBudget::raise_peak(std::uint64_t now) {
  std::uint64_t seen = peak_.load(std::memory_order_relaxed);
  while (now > seen && !peak_.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

} // namespace omnistore::http
