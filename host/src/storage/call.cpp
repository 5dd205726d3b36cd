// SPDX-License-Identifier: Apache-2.0
#include "storage/call.hpp"

#include <algorithm>

#include "base/printable.hpp"

namespace omnistore {

std::int64_t HostCall::remaining_(const omnistore_call *call) {
  const auto &self = *static_cast<const HostCall *>(call);
  if (self.cancelled_ && self.cancelled_->load(std::memory_order_relaxed)) return 0;
  if (self.deadline_ == Clock::time_point::max()) return INT64_MAX;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(self.deadline_ - Clock::now()).count();
  return std::max<std::int64_t>(left, 0);
}

void HostCall::fail_(omnistore_call *call, std::uint32_t item, omnistore_bytes message) noexcept {
  auto &messages = static_cast<HostCall *>(call)->messages_;
  const std::string_view text = message.data ? view(message) : std::string_view();
  try {
    for (auto &[known, old] : messages) {
      if (known == item) {
        old = text;
        return;
      }
    }
    messages.emplace_back(item, text);
  } catch (const std::exception &) { // out of memory: the status has to do
  }
}

std::string HostCall::cause(omnistore_status status, std::uint32_t item) const {
  for (const auto &[known, message] : messages_)
    if (known == item && !message.empty()) return base::printable(message);
  return std::string(phrase(to_status(status)));
}

std::unique_lock<std::timed_mutex> lock_in_time(std::timed_mutex &mutex, omnistore_call *call) {
  std::unique_lock lock(mutex, std::try_to_lock);
  if (lock.owns_lock()) return lock;
  if (!call) {
    lock.lock();
    return lock;
  }
  // In short steps, to see that the call was called off. By the system's clock: the thread sanitizer of g++ 12 does not
  // know a wait by the steady one, and a clock that is set makes a step longer or shorter, not the whole.
  constexpr std::int64_t step = 100;
  for (std::int64_t left; (left = call->remaining(call)) > 0;) {
    const auto until = std::chrono::system_clock::now() + std::chrono::milliseconds(std::min(left, step));
    if (lock.try_lock_until(until)) return lock;
  }
  fail(call, OMNISTORE_UNAVAILABLE, "another operation, which has to end before this one, did not end in time");
  return lock;
}

omnistore_status fail(omnistore_call *call, omnistore_status status, std::string_view message, std::uint32_t item) {
  call->fail(call, item, bytes(message));
  return status;
}

Status to_status(omnistore_status status) noexcept {
  switch (const auto known = static_cast<Status>(status)) {
  case Status::ok:
  case Status::not_found:
  case Status::invalid:
  case Status::denied:
  case Status::read_only:
  case Status::conflict:
  case Status::too_large:
  case Status::unsupported:
  case Status::timeout:
  case Status::unavailable:
  case Status::no_space:
  case Status::io:
  case Status::corrupt:
  case Status::internal:
    return known;
  }
  return Status::internal;
}

std::string_view phrase(Status status) noexcept {
  switch (status) {
  case Status::ok:
    return "ok";
  case Status::not_found:
    return "no such key";
  case Status::invalid:
    return "not valid";
  case Status::denied:
    return "not allowed";
  case Status::read_only:
    return "the store takes no writes";
  case Status::conflict:
    return "the condition does not hold";
  case Status::too_large:
    return "too large";
  case Status::unsupported:
    return "the driver cannot do this";
  case Status::timeout:
    return "no answer in time";
  case Status::unavailable:
    return "the backend cannot be reached";
  case Status::no_space:
    return "the store is full";
  case Status::io:
    return "the medium failed";
  case Status::corrupt:
    return "what is stored cannot be read";
  case Status::internal:
    return "the driver failed without saying why";
  }
  return "unknown failure";
}

} // namespace omnistore
