// SPDX-License-Identifier: Apache-2.0
//
// given.hpp - memory for what a driver is given. Whatever a call hands over (keys, requests, the sink, the call) is
// valid until the function returns and no longer. Here each piece ends where a page ends behind which nothing can be
// read, and its pages are taken away when the call is over: a driver that reads too far, or too late, faults at once.
#pragma once

#include <cstddef>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/driver.h>

namespace omnistore::kit {

/// What one call hands over. For one thread.
class Given {
public:
  /// `function` names the driver's function for the report of a fault; a literal.
  explicit Given(const char *function) noexcept : function_(function) {}
  /// Takes the memory away. It is used for nothing else before some hundred other calls.
  ~Given();
  Given(const Given &) = delete;
  Given &operator=(const Given &) = delete;

  /// A copy of the bytes. `what` names them for the report of a fault; a literal.
  omnistore_bytes bytes(std::string_view bytes, const char *what);
  /// An object whose last byte is the last that can be read.
  template <class T>
  T *make(T object, const char *what) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (take(sizeof(T), what)) T(std::move(object));
  }
  /// Room for `count` objects.
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

/// What a fault at this address means: "it read the key of get after get had returned"; empty: it is no such memory.
/// Takes no lock and allocates nothing, so that a signal handler may call it. `text` has room for `size` bytes.
bool explain_fault(const void *address, char *text, std::size_t size) noexcept;

} // namespace omnistore::kit
