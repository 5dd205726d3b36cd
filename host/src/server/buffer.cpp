// SPDX-License-Identifier: Apache-2.0
#include "server/buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <new>
#include <vector>

namespace omnistore::server {

namespace {

constexpr std::size_t large = 128 * 1024;           // from here on blocks are kept; what malloc maps by itself
constexpr std::size_t most_kept = 16 * 1024 * 1024; // bytes, in all

struct Block {
  char *data = nullptr;
  std::size_t size = 0;
};

/// Large blocks that no buffer uses now, for all threads.
class Spares {
public:
  /// A block of at least `size` bytes, and not of much more; none where there is none.
  Block take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    const auto fits = [size](const Block &block) { return block.size >= size && block.size / 4 <= size; };
    const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(), fits);
    if (found == blocks_.rend()) return {};
    const Block block = *found;
    blocks_.erase(std::next(found).base());
    kept_ -= block.size;
    return block;
  }
  /// False: enough are kept already.
  bool keep(Block block) {
    const std::lock_guard lock(mutex_);
    if (kept_ + block.size > most_kept) return false;
    blocks_.push_back(block);
    kept_ += block.size;
    return true;
  }

private:
  std::mutex mutex_;
  std::vector<Block> blocks_;
  std::size_t kept_ = 0;
};

Spares &spares() {
  static Spares *const all = new Spares; // not destroyed: buffers of other threads may outlive static objects
  return *all;
}

} // namespace

void Buffer::grow(std::size_t count) {
  std::size_t wanted = size_ + count;
  if (wanted < size_) throw std::bad_alloc();
  const std::size_t needed = wanted;
  wanted = std::max(wanted, capacity_ + capacity_ / 2);
  if (wanted >= large) {
    if (const Block spare = spares().take(wanted); spare.data) {
      try {
        charge(spare.size);
      } catch (...) {
        if (!spares().keep(spare)) std::free(spare.data);
        throw;
      }
      if (size_ != 0) std::memcpy(spare.data, data_, size_);
      release();
      data_ = spare.data;
      capacity_ = spare.size;
      return;
    }
  }
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

void Buffer::charge(std::size_t bytes) {
  if (budget_) budget_->take(bytes, capacity_ + bytes <= MemoryBudget::always);
}

void Buffer::release() {
  if (budget_) budget_->give_back(capacity_);
  if (capacity_ < large || !spares().keep({data_, capacity_})) std::free(data_);
  data_ = nullptr;
  capacity_ = 0;
}

} // namespace omnistore::server
