// SPDX-License-Identifier: Apache-2.0
// A driver may have a thread of its own, such as a watch's. This header starts it, and has the call
// that it makes to stores.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#if !defined(_WIN32)
#include <csignal>
#include <pthread.h>
#endif

#include "driver.h"

namespace omnistore {

/// A call that no client waits for: its priority is OMNISTORE_PRIORITY_BACKGROUND, and failures
/// that are reported to it are dropped. It must outlive every function that has it, and so must
/// `stopping`. Any thread.
class BackgroundCall : public omnistore_call {
public:
  using Clock = std::chrono::steady_clock;

  /// `end` is the deadline; without one the call may take for ever. If `stopping` becomes true, the
  /// call counts as cancelled and no time is left.
  explicit BackgroundCall(const std::atomic<bool> *stopping = nullptr,
                          Clock::time_point end = Clock::time_point::max())
      : omnistore_call{}, stopping_(stopping), end_(end) {
    context_.base.size = sizeof(omnistore_context);
    context_.base.priority = OMNISTORE_PRIORITY_BACKGROUND;
    context_.base.cancelled = &cancelled;
    context_.call = this;
    size = sizeof(omnistore_call);
    context = &context_.base;
    remaining = &left;
    fail = [](omnistore_call *, const omnistore_failure *) {};
  }
  BackgroundCall(const BackgroundCall &) = delete;
  BackgroundCall &operator=(const BackgroundCall &) = delete;

private:
  struct Context {
    omnistore_context base{}; // the first member: a pointer to it is one to the Context
    const BackgroundCall *call = nullptr;
  };

  bool stopped() const { return stopping_ && stopping_->load(std::memory_order_relaxed); }
  static std::uint32_t OMNISTORE_CALL cancelled(const omnistore_context *context) {
    return reinterpret_cast<const Context *>(context)->call->stopped();
  }
  static std::int64_t OMNISTORE_CALL left(const omnistore_call *call) {
    const BackgroundCall &self = *static_cast<const BackgroundCall *>(call);
    if (self.stopped()) return 0;
    if (self.end_ == Clock::time_point::max()) return INT64_MAX;
    return std::max<std::int64_t>(
        0, std::chrono::ceil<std::chrono::milliseconds>(self.end_ - Clock::now()).count());
  }

  Context context_;
  const std::atomic<bool> *const stopping_;
  const Clock::time_point end_;
};

/// Starts a thread that takes none of the process's signals, since these are for the host's
/// threads. `run` must not throw. Throws std::system_error if there can be no more threads; the
/// caller's own signals are as before then too.
template <class Run>
std::thread background_thread(Run run) {
#if defined(_WIN32)
  return std::thread(std::move(run));
#else
  struct Masked {
    sigset_t before;
    Masked() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~Masked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  } const masked;
  return std::thread(std::move(run));
#endif
}

} // namespace omnistore
