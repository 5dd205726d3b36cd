// SPDX-License-Identifier: Apache-2.0
#include "http/memory_budget.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include <unistd.h>

namespace omnistore::http {

namespace {

/// A whole number that a file holds; UINT64_MAX: there is none ("max"), or no such file.
std::uint64_t number_in(const std::string &path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : UINT64_MAX;
}

/// Returns the limit of the process's control group and of those above it: of version 2, else of version 1.
std::uint64_t allowed_by_group() {
  std::ifstream groups("/proc/self/cgroup");
  std::uint64_t least = UINT64_MAX;
  for (std::string line; std::getline(groups, line);) {
    const bool is_second = line.starts_with("0::");
    if (!is_second && line.find(":memory:") == std::string::npos) continue;
    const std::string root = is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string name = is_second ? "/memory.max" : "/memory.limit_in_bytes";
    // In a container the path is often not there, and the root is the group's own.
    for (std::string path = line.substr(line.rfind(':') + 1);; path.resize(path.rfind('/'))) {
      least = std::min(least, number_in(root + path + name));
      if (path.find('/') == std::string::npos) break;
    }
  }
  return least;
}

} // namespace

std::uint64_t memory_for_requests() {
  constexpr std::uint64_t mebibyte = 1024 * 1024;
  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 0L));
  const auto page = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 0L));
  return std::clamp(std::min(pages * page, allowed_by_group()) / 8, 64 * mebibyte, 512 * mebibyte);
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
