// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "http/memory_budget.hpp"

namespace omnistore::http {

/// Bytes that grow at their end, in one piece. Unlike a std::string's, new room is not filled with zeros, which would
/// cost as much as the copy of a value; and large blocks of memory are not given back to the system between two values,
/// which would cost more than the copy. A buffer may have a budget, which counts its memory and must outlive it: if
/// that is used up, the buffer does not grow and throws OverBudget. The budget keeps the large blocks too.
class Buffer {
public:
  Buffer() = default;
  explicit Buffer(MemoryBudget *budget) : budget_(budget) {}
  ~Buffer() { release(); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  char *data() { return data_; }
  const char *data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }

  /// Returns the place after the content, with room for `count` bytes. Moves the content.
  char *room(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return data_ + size_;
  }
  /// Says that `count` bytes were written after the content.
  void grew(std::size_t count) { size_ += count; }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  /// Takes `count` bytes out at `offset`.
  void erase(std::size_t offset, std::size_t count) {
    if (count == 0) return;
    std::memmove(data_ + offset, data_ + offset + count, size_ - offset - count);
    size_ -= count;
  }
  void truncate(std::size_t size) { size_ = size; }
  /// Forgets the content, and gives its memory back if that is more than `keep` bytes.
  void clear(std::size_t keep) {
    size_ = 0;
    if (capacity_ > keep) release();
  }
  void swap(Buffer &other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(budget_, other.budget_);
  }
  MemoryBudget *budget() const { return budget_; }

private:
  void grow(std::size_t count);
  bool take_spare(std::size_t size);
  void charge(std::size_t bytes);
  void release();

  char *data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  MemoryBudget *budget_ = nullptr;
};

} // namespace omnistore::http
