// SPDX-License-Identifier: Apache-2.0
#include "storage/node_health.hpp"

#include "storage/call.hpp"
#include "storage/node_guarded.hpp"

namespace omnistore {

void Node::Health::begin() {
  const std::lock_guard lock(mutex_);
  const bool known = known_since_ != Clock::time_point() && Clock::now() - known_since_ < fresh;
  if (asking_ || known) return;
  asking_ = tasks_->submit(this, *node_.label_, run_, this, std::chrono::milliseconds(0));
  if (asking_) return;
  answer_ = {Status::unavailable, "the host's queue of tasks is full, or the store closes"};
  known_since_ = Clock::now();
}

Node::Health::Answer Node::Health::wait(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  // By the system's clock: the thread sanitizer of g++ 12 does not know a wait by the steady one.
  while (asking_ && Clock::now() < deadline)
    answered_.wait_until(lock, std::chrono::system_clock::now() + (deadline - Clock::now()));
  if (!asking_) return answer_;
  return {Status::timeout, "no answer within " + std::to_string(patience.count()) + " s"};
}

void Node::Health::run_(void *self, omnistore_call *) {
  auto &health = *static_cast<Health *>(self);
  Answer answer = health.ask();
  const std::lock_guard lock(health.mutex_);
  health.answer_ = std::move(answer);
  health.known_since_ = Clock::now();
  health.asking_ = false;
  health.answered_.notify_all();
}

Node::Health::Answer Node::Health::ask() {
  HostCall call(patience);
  try {
    std::unique_lock<std::timed_mutex> lock;
    if (node_.serial_) {
      HostCall briefly(std::chrono::milliseconds(20));
      if (!(lock = lock_in_time(*node_.serial_, &briefly))) return {}; // it is at work
    }
    const base::InFlight in_flight(*node_.label_, "health");
    const omnistore_status status = known_status(asked_.health(node_.self_, &call), node_.faults_);
    if (status == OMNISTORE_OK) return {};
    return {to_status(status), call.cause(status)};
  } catch (const std::exception &error) {
    return {Status::internal, std::string("the driver threw: ") + error.what()};
  } catch (...) {
    return {Status::internal, "the driver threw something that is no exception"};
  }
}

void Node::collect_health(std::vector<Health *> &all) {
  if (health_) return all.push_back(health_.get());
  for (const auto &child : children_) child->collect_health(all);
}

} // namespace omnistore
