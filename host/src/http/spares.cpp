// SPDX-License-Identifier: Apache-2.0
#include "http/spares.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace omnistore::http {

namespace {

constexpr std::size_t most_kept = 16 * 1024 * 1024; // bytes, in all

} // namespace

Spares::Block Spares::take(std::size_t size) {
  if (kept() == 0) return {};
  const std::lock_guard lock(mutex_);
  const auto fits = [size](const Block &block) { return block.size >= size && block.size / 4 <= size; };
  const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(), fits);
  if (found == blocks_.rend()) return {};
  const Block block = *found;
  blocks_.erase(std::next(found).base());
  kept_ -= block.size;
  return block;
}

bool Spares::keep(Block block) {
  const std::lock_guard lock(mutex_);
  if (kept_ + block.size > most_kept) return false;
  blocks_.push_back(block);
  kept_ += block.size;
  return true;
}

void Spares::free_all() {
  std::vector<Block> freed;
  {
    const std::lock_guard lock(mutex_);
    freed.swap(blocks_);
    kept_ = 0;
  }
  for (const Block &block : freed) std::free(block.data);
}

} // namespace omnistore::http
