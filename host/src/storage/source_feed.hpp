// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>

#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

#include "base/in_flight.hpp"
#include "storage/call.hpp"

namespace omnistore {

/// Hands a Source to a driver, and holds it to the announced size, whatever the driver checks. An exception of the
/// source must not pass through the driver, so rethrow() throws it later.
class SourceFeed : public omnistore_source {
public:
  SourceFeed(Source &from, std::uint64_t announced, HostCall &for_call)
      : omnistore_source{sizeof(omnistore_source), 0, read_}, source_(from), size_(announced), call_(for_call) {}

  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

private:
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                               std::uint64_t *read) noexcept {
    auto &self = *static_cast<SourceFeed *>(source);
    *read = 0;
    if (self.ended_ || capacity == 0) return self.status_;
    try {
      const base::ClientWait waits;
      *read = self.source_.read(static_cast<char *>(buffer), static_cast<std::size_t>(capacity));
      self.given_ += *read;
      self.ended_ = *read == 0;
      self.check_size();
    } catch (const Error &error) {
      self.end(error.status() == Status::conflict ? OMNISTORE_INTERNAL : static_cast<omnistore_status>(error.status()));
    } catch (...) {
      self.end(OMNISTORE_INTERNAL);
    }
    if (self.status_ != OMNISTORE_OK) *read = 0;
    self.call_.renew();
    return self.status_;
  }
  void check_size() const {
    if (size_ == UINT64_MAX || (ended_ ? given_ == size_ : given_ <= size_)) return;
    throw Error(Status::invalid, "the value ends after " + std::to_string(given_) + " bytes, and " +
                                     std::to_string(size_) + " were announced");
  }
  void end(omnistore_status status) {
    thrown_ = std::current_exception();
    giving_up_.give_up();
    ended_ = true;
    status_ = status;
  }

  Source &source_;
  const std::uint64_t size_;
  HostCall &call_;
  GivingUp giving_up_;
  std::uint64_t given_ = 0;
  bool ended_ = false;
  omnistore_status status_ = OMNISTORE_OK;
  std::exception_ptr thrown_;
};

} // namespace omnistore
