// SPDX-License-Identifier: Apache-2.0
#include "http/buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace omnistore::http {

void Buffer::grow(std::size_t count) {
  std::size_t wanted = size_ + count;
  if (wanted < size_) throw std::bad_alloc();
  const std::size_t needed = wanted;
  wanted = std::max(wanted, capacity_ + capacity_ / 2);
  if (wanted >= Spares::large && budget_ && take_spare(wanted)) return;
  const std::size_t before = capacity_;
  try {
    charge(wanted - before);
  } catch (const OverBudget &) { // no more than it needs, then
    if (wanted == needed) throw;
    charge((wanted = needed) - before);
  }
  void *grown = std::realloc(data_, wanted);
  if (!grown) {
    if (budget_) budget_->give_back(wanted - before);
    throw std::bad_alloc();
  }
  data_ = static_cast<char *>(grown);
  capacity_ = wanted;
}

/// Moves the content to a block that the budget kept. Returns false if it has none that fits.
bool Buffer::take_spare(std::size_t size) {
  const Spares::Block spare = budget_->spares().take(size);
  if (!spare.data) return false;
  try {
    charge(spare.size);
  } catch (const OverBudget &) { // the exact size may still fit
    std::free(spare.data);
    return false;
  }
  if (size_ != 0) std::memcpy(spare.data, data_, size_);
  release();
  data_ = spare.data;
  capacity_ = spare.size;
  return true;
}

void Buffer::charge(std::size_t bytes) {
  if (budget_) budget_->take(bytes, capacity_ + bytes <= MemoryBudget::always);
}

void Buffer::release() {
  const bool kept = capacity_ >= Spares::large && budget_ && budget_->keep({data_, capacity_});
  if (!kept) std::free(data_);
  if (budget_ && !kept) budget_->give_back(capacity_);
  data_ = nullptr;
  capacity_ = 0;
}

} // namespace omnistore::http
