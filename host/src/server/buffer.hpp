// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace omnistore::server {

/// Bytes that grow at their end, in one piece. Unlike a std::string's, new room is not filled with zeros, which would
/// cost as much as the copy of a value.
class Buffer {
public:
  Buffer() = default;
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  char *data() { return data_; }
  const char *data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }

  /// The place behind the content, with room for `count` bytes. Moves the content.
  char *room(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return data_ + size_;
  }
  /// So many bytes were put behind the content.
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
  /// Forgets the content, and gives its memory back where that is more than `keep` bytes.
  void clear(std::size_t keep) {
    size_ = 0;
    if (capacity_ <= keep) return;
    std::free(data_);
    data_ = nullptr;
    capacity_ = 0;
  }
  void swap(Buffer &other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

private:
  void grow(std::size_t count) {
    std::size_t wanted = size_ + count;
    if (wanted < size_) throw std::bad_alloc();
    if (wanted < capacity_ + capacity_ / 2) wanted = capacity_ + capacity_ / 2;
    void *grown = std::realloc(data_, wanted);
    if (!grown) throw std::bad_alloc();
    data_ = static_cast<char *>(grown);
    capacity_ = wanted;
  }

  char *data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

} // namespace omnistore::server
