// SPDX-License-Identifier: Apache-2.0
//
// call_memory.hpp - the memory of a call's arguments: keys, requests, the sink, the call. They are valid only until the
// function returns. Each of them ends at the end of a page, the next page cannot be read, and all pages are unmapped
// after the call. A driver that reads too far, or too late, faults at once.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/driver.h>

namespace omnistore::kit {

/// The memory of the arguments of one call. For one thread.
class CallMemory {
public:
  /// `function` is a literal that names the driver's function in the report of a fault.
  explicit CallMemory(const char *function) noexcept : function_(function) {}
  /// Unmaps the memory. Its addresses are not used again for some hundred calls.
  ~CallMemory();
  CallMemory(const CallMemory &) = delete;
  CallMemory &operator=(const CallMemory &) = delete;

  /// Copies the bytes. `what` is a literal that names them in the report of a fault.
  omnistore_bytes bytes(std::string_view bytes, const char *what) {
    void *place = take(bytes.size(), what);
    if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
    return {place, bytes.size()};
  }
  /// Makes an object whose last byte is the last readable one.
  template <class T>
  T *make(T object, const char *what) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (take(sizeof(T), what)) T(std::move(object));
  }
  /// Makes an array of `count` objects.
  template <class T>
  T *array(std::size_t count, const char *what) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (take(sizeof(T) * count, what)) T[count]{};
  }

private:
  void *take(std::size_t size, const char *what);

  const char *function_;
  std::vector<std::size_t> pieces_;
};

/// Describes a fault at this address in `text`, which has room for `size` bytes: "it used what get was given after get
/// had returned: the key". Returns false if the address belongs to no call. Async-signal-safe: it takes no lock and
/// allocates nothing.
bool explain_fault(const void *address, char *text, std::size_t size) noexcept;

} // namespace omnistore::kit
