// SPDX-License-Identifier: Apache-2.0
// The body of a request: bytes in memory, or a source that is read piece by piece.
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
  /// The bytes must outlive it.
  explicit Body(std::string_view bytes) : bytes_(bytes), source_(nullptr), size_(bytes.size()) {}

  /// Returns OMNISTORE_UNKNOWN_SIZE if the size is not known before the end.
  std::uint64_t size() const { return size_; }

  /// Reads the next bytes, 0 at the end. Returns false if that fails; failure() and why() then say how.
  bool read(char *buffer, std::size_t capacity, std::size_t &count);

  /// Goes back to the start. Returns false if a source was read already, which gives its bytes only once.
  bool rewind();

  omnistore_status failure() const { return failure_; }
  const char *why() const { return why_; } ///< empty: the source has reported it

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
