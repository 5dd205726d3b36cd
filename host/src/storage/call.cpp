// SPDX-License-Identifier: Apache-2.0
#include "storage/call.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "config/secrets.hpp"

namespace omnistore {

const omnistore_context HostCall::nobody{sizeof(omnistore_context),
                                         OMNISTORE_PRIORITY_NORMAL,
                                         [](const omnistore_context *) { return std::uint32_t{0}; },
                                         {nullptr, 0},
                                         {nullptr, 0}};

void HostCall::name(const Caller *caller) {
  const Caller &known = caller ? *caller : Caller();
  static_cast<omnistore_context &>(context_) = {
      sizeof(omnistore_context), known.background ? OMNISTORE_PRIORITY_BACKGROUND : OMNISTORE_PRIORITY_NORMAL,
      cancelled_by, bytes(is_traceparent(known.trace) ? known.trace : std::string_view()), bytes(known.identity)};
  context_.cancelled = cancelled_;
  context = &context_;
}

std::uint32_t HostCall::cancelled_by(const omnistore_context *context) {
  const auto *cancelled = static_cast<const Context *>(context)->cancelled;
  return cancelled && cancelled->load(std::memory_order_relaxed) ? 1 : 0;
}

std::int64_t HostCall::remaining_(const omnistore_call *call) {
  const auto &self = *static_cast<const HostCall *>(call);
  if (self.cancelled_ && self.cancelled_->load(std::memory_order_relaxed)) return 0;
  if (self.deadline_ == Clock::time_point::max()) return INT64_MAX;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(self.deadline_ - Clock::now()).count();
  return std::max<std::int64_t>(left, 0);
}

void HostCall::fail_(omnistore_call *call, const omnistore_failure *failure) noexcept {
  auto &all = static_cast<HostCall *>(call)->said_;
  const Known known(*failure);
  try {
    auto said = std::find_if(all.begin(), all.end(), [&](const Said &one) { return one.item == known->item; });
    if (said == all.end()) said = all.insert(all.end(), Said{known->item, {}, 0, false});
    said->retry_after = std::max<std::int64_t>(known->retry_after, 0);
    said->nothing_done = (known->flags & OMNISTORE_NOTHING_DONE) != 0;
    if (known->message.data && known->message.size != 0) said->message = view(known->message);
  } catch (const std::exception &) { // out of memory: the status has to do
  }
}

const HostCall::Said *HostCall::said(std::uint32_t item) const {
  const auto found = std::find_if(said_.begin(), said_.end(), [&](const Said &one) { return one.item == item; });
  return found == said_.end() ? nullptr : &*found;
}

std::string HostCall::cause(omnistore_status status, std::uint32_t item) const {
  if (const Said *known = said(item); known && !known->message.empty())
    return base::printable(config::without_kept(known->message));
  return std::string(phrase(to_status(status)));
}

std::chrono::milliseconds HostCall::retry_after(std::uint32_t item) const {
  const Said *known = said(item);
  return std::chrono::milliseconds(known ? known->retry_after : 0);
}

bool HostCall::nothing_done(std::uint32_t item) const {
  const Said *known = said(item);
  return known && known->nothing_done;
}

bool is_traceparent(std::string_view text) {
  if (text.size() != 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const auto is_id = [&](std::string_view part) {
    return base::is_lower_hex(part) && part.find_first_not_of('0') != part.npos;
  };
  return base::is_lower_hex(text.substr(0, 2)) && text.substr(0, 2) != "ff" && is_id(text.substr(3, 32)) &&
         is_id(text.substr(36, 16)) && base::is_lower_hex(text.substr(53));
}

template <class Mutex>
std::unique_lock<Mutex> lock_in_time(Mutex &mutex, omnistore_call *call) {
  std::unique_lock lock(mutex, std::try_to_lock);
  if (lock.owns_lock()) return lock;
  if (!call) {
    lock.lock();
    return lock;
  }
  // In short steps, to notice a cancellation. By the system's clock: the thread sanitizer of g++ 12 does not know a
  // wait by the steady one, and a clock that is set makes a step longer or shorter, not the whole.
  constexpr std::int64_t step = 100;
  for (std::int64_t left; (left = call->remaining(call)) > 0;) {
    const auto until = std::chrono::system_clock::now() + std::chrono::milliseconds(std::min(left, step));
    if (lock.try_lock_until(until)) return lock;
  }
  fail(call, OMNISTORE_UNAVAILABLE, "another operation, which has to end before this one, did not end in time", 0,
       OMNISTORE_NOTHING_DONE);
  return lock;
}
template std::unique_lock<std::timed_mutex> lock_in_time(std::timed_mutex &, omnistore_call *);
template std::unique_lock<std::recursive_timed_mutex> lock_in_time(std::recursive_timed_mutex &, omnistore_call *);

omnistore_status fail(omnistore_call *call, omnistore_status status, std::string_view message, std::uint32_t item,
                      std::uint32_t flags) {
  const omnistore_failure failure{sizeof failure, item, bytes(message), 0, flags, 0};
  call->fail(call, &failure);
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
  case Status::cancelled:
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
    return "no response in time";
  case Status::cancelled:
    return "the caller went away before the operation was done";
  case Status::unavailable:
    return "the backend cannot be reached";
  case Status::no_space:
    return "the store is full";
  case Status::io:
    return "the medium failed";
  case Status::corrupt:
    return "the stored value cannot be read";
  case Status::internal:
    return "the driver failed without saying why";
  }
  return "unknown failure";
}

} // namespace omnistore
