// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace omnistore::base {

/// Elements that never move, so that others may point to them: sinks, for example. There is room for so many as its
/// maker says, which is allocated at once. A std::deque would allocate for every few of them.
template <class T>
class Row {
public:
  explicit Row(std::size_t room) : room_(room), first_(room == 0 ? nullptr : std::allocator<T>().allocate(room)) {}
  Row(const Row &) = delete;
  Row &operator=(const Row &) = delete;
  ~Row() {
    std::destroy_n(first_, size_);
    if (first_) std::allocator<T>().deallocate(first_, room_);
  }

  /// There must be room.
  template <class... Arguments>
  T &emplace_back(Arguments &&...arguments) {
    T *const made = std::construct_at(first_ + size_, std::forward<Arguments>(arguments)...);
    ++size_;
    return *made;
  }
  std::size_t size() const noexcept { return size_; }
  T &operator[](std::size_t i) { return first_[i]; }
  const T *begin() const noexcept { return first_; }
  const T *end() const noexcept { return first_ + size_; }

private:
  const std::size_t room_;
  T *const first_;
  std::size_t size_ = 0;
};

} // namespace omnistore::base
