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

/// Reads a sized struct that the other side of the ABI made, in the form that this side's header
/// has:
/// fields that the other side did not know are 0, and fields that this side does not know are left
/// out. It refers to the struct itself if the sizes agree, and else to a copy inside this object.
/// The views in it point to the bytes of the original.
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
  Sized copy_; // unset if the sizes agree: a request then costs one comparison
};

/// The requests of a batch, each read through Known. Allocates only if one has another size. Throws
/// std::bad_alloc.
template <class Request>
class KnownRequests {
public:
  KnownRequests(const Request *const *from, std::uint32_t count) : known_(from) {
    if (std::all_of(from, from + count,
                    [](const Request *one) { return one->size == sizeof *one; })) [[likely]]
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
