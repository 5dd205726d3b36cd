// SPDX-License-Identifier: Apache-2.0
// What a request sends: bytes in memory, or a source that is read piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace http {

class Body {
public:
  explicit Body(const omnistore_set_request &request);

  /// OMNISTORE_UNKNOWN_SIZE: not known before the end.
  std::uint64_t size() const { return size_; }

  /// The next bytes, 0 at the end. False: they cannot be had, and failure() and why() say it.
  bool read(char *buffer, std::size_t capacity, std::size_t &count);

  /// Goes back to the start; false: a source was read already, which gives its bytes once.
  bool rewind();

  omnistore_status failure() const { return failure_; }
  const char *why() const { return why_; } ///< empty: the source has said it

private:
  bool read_source(char *buffer, std::size_t capacity, std::size_t &count);
  bool stop(omnistore_status status, const char *why);

  const std::string_view bytes_;
  omnistore_source *const source_;
  const std::uint64_t size_;
  std::uint64_t sent_ = 0;
  omnistore_status failure_ = OMNISTORE_OK;
  const char *why_ = "";
};

} // namespace http
