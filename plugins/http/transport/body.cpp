// SPDX-License-Identifier: Apache-2.0
#include "transport/body.hpp"

#include <algorithm>
#include <cstring>

#include <omnistore/value.hpp>

namespace http {

Body::Body(const omnistore_set_request &request)
    : bytes_(request.source ? std::string_view() : omnistore::as_view(request.value)), source_(request.source),
      size_(request.source ? request.source_size : request.value.size) {}

bool Body::read(char *buffer, std::size_t capacity, std::size_t &count) {
  if (source_) return read_source(buffer, capacity, count);
  const std::string_view rest = bytes_.substr(static_cast<std::size_t>(sent_));
  count = std::min(capacity, rest.size());
  if (count != 0) std::memcpy(buffer, rest.data(), count);
  sent_ += count;
  return true;
}

bool Body::read_source(char *buffer, std::size_t capacity, std::size_t &count) {
  std::uint64_t got = 0;
  if (const auto status = source_->read(source_, buffer, capacity, &got); status != OMNISTORE_OK)
    return stop(status, "");
  count = static_cast<std::size_t>(got);
  sent_ += got;
  if (size_ == OMNISTORE_UNKNOWN_SIZE) return true;
  if (got == 0 && sent_ < size_) return stop(OMNISTORE_INVALID, "fewer bytes came than were announced");
  if (sent_ < size_) return true;
  // The server has a whole value with the last byte, so further bytes must be known before that goes out.
  char further;
  std::uint64_t more = 0;
  if (sent_ == size_) {
    if (const auto status = source_->read(source_, &further, 1, &more); status != OMNISTORE_OK) return stop(status, "");
  }
  return sent_ + more == size_ || stop(OMNISTORE_INVALID, "more bytes came than were announced");
}

bool Body::stop(omnistore_status status, const char *why) {
  failure_ = status;
  why_ = why;
  return false;
}

bool Body::rewind() {
  if (source_ && sent_ != 0) return false;
  sent_ = 0;
  return true;
}

} // namespace http
