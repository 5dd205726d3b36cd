// SPDX-License-Identifier: Apache-2.0
#include "storage/health_report.hpp"

#include "storage/call.hpp"

namespace omnistore {

void HealthReport::begin() {
  const std::lock_guard lock(mutex_);
  const bool known = known_since_ != Clock::time_point() && Clock::now() - known_since_ < fresh;
  if (asking_ || known) return;
  asking_ = store_.tasks()->submit(this, store_.label(), run_, this, std::chrono::milliseconds(0));
  if (asking_) return;
  answer_ = {Status::unavailable, "the host's queue of tasks is full, or the store closes"};
  known_since_ = Clock::now();
}

HealthReport::Answer HealthReport::wait(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  answered_.wait_until(lock, deadline, [this] { return !asking_; });
  if (!asking_) return answer_;
  return {Status::timeout, "no response within " + std::to_string(patience.count()) + " s"};
}

void HealthReport::run_(void *self, omnistore_call *) {
  auto &health = *static_cast<HealthReport *>(self);
  Answer answer = health.ask();
  const std::lock_guard lock(health.mutex_);
  health.answer_ = std::move(answer);
  health.known_since_ = Clock::now();
  health.asking_ = false;
  health.answered_.notify_all();
}

HealthReport::Answer HealthReport::ask() {
  HostCall call(patience);
  try {
    omnistore_status status = OMNISTORE_OK; // a store that is at work is healthy
    store_.report("health",
                  [&](void *self) { status = known_status(extension_.health(self, &call), store_.faults()); });
    if (status == OMNISTORE_OK) return {};
    return {to_status(status), call.cause(status)};
  } catch (const std::exception &error) {
    return {Status::internal, std::string("the driver threw: ") + error.what()};
  } catch (...) {
    return {Status::internal, "the driver threw something that is no exception"};
  }
}

} // namespace omnistore
