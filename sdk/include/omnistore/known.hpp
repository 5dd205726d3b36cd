// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include <omnistore/driver.h>

namespace omnistore {

/// A sized struct from the other side of the border as this side's header has it: of this header's size, with 0 in the
/// fields that the other side did not know, and without those that this side does not know. It is the struct itself
/// where the sizes agree, else a copy in here; its views are those of the original.
template <class Sized>
class Known {
public:
  explicit Known(const Sized &from) noexcept : known_(&from) {
    if (from.size == sizeof from) [[likely]]
      return;
    std::memset(&copy_, 0, sizeof copy_);
    std::memcpy(&copy_, &from, std::min<std::size_t>(from.size, sizeof copy_));
    copy_.size = sizeof copy_;
    known_ = &copy_;
  }
  Known(const Known &) = delete;
  Known &operator=(const Known &) = delete;
  const Sized &operator*() const noexcept { return *known_; }
  const Sized *operator->() const noexcept { return known_; }

private:
  const Sized *known_;
  Sized copy_; // not set where the sizes agree: a request costs one comparison
};

/// The requests of a batch, each as Known has it. Allocates only if one has another size. Throws std::bad_alloc.
template <class Request>
class KnownRequests {
public:
  KnownRequests(const Request *const *from, std::uint32_t count) : known_(from) {
    if (std::all_of(from, from + count, [](const Request *one) { return one->size == sizeof *one; })) [[likely]]
      return;
    for (std::uint32_t i = 0; i < count; ++i) pointers_.push_back(&*copies_.emplace_back(*from[i]));
    known_ = pointers_.data();
  }
  KnownRequests(const KnownRequests &) = delete;
  KnownRequests &operator=(const KnownRequests &) = delete;
  const Request *const *raw() const noexcept { return known_; }

private:
  const Request *const *known_;
  std::deque<Known<Request>> copies_;
  std::vector<const Request *> pointers_;
};

} // namespace omnistore
