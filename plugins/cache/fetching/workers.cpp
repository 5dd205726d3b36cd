// SPDX-License-Identifier: Apache-2.0
#include "fetching/workers.hpp"

#include <system_error>

namespace cache {

using omnistore::Call;

/// The call of a refresh: it has no deadline until the store closes, and ignores failures.
class Workers::RefreshCall : public omnistore_call {
public:
  explicit RefreshCall(const std::atomic<bool> &over)
      : omnistore_call{sizeof(omnistore_call), 0, &context_, remaining_, fail_}, over_(over), context_(over) {}
  RefreshCall(const RefreshCall &) = delete;
  RefreshCall &operator=(const RefreshCall &) = delete;

private:
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call) noexcept {
    return static_cast<const RefreshCall *>(call)->over_.load(std::memory_order_relaxed) ? 0 : INT64_MAX;
  }
  static void OMNISTORE_CALL fail_(omnistore_call *, const omnistore_failure *) noexcept {}

  struct Context : omnistore_context {
    explicit Context(const std::atomic<bool> &ends)
        : omnistore_context{sizeof(omnistore_context),
                            OMNISTORE_PRIORITY_BACKGROUND,
                            cancelled_,
                            {nullptr, 0},
                            {nullptr, 0}},
          over(ends) {}
    const std::atomic<bool> &over;
    static std::uint32_t OMNISTORE_CALL cancelled_(const omnistore_context *context) noexcept {
      return static_cast<const Context *>(context)->over.load(std::memory_order_relaxed) ? 1 : 0;
    }
  };
  const std::atomic<bool> &over_;
  const Context context_;
};

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread &thread : threads_) thread.join();
}

bool Workers::submit(std::string key) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= max_waiting) return false;
    if (idle_ <= waiting_.size() && threads_.size() < most_) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error &) { // the system's limit is reached; the existing threads do the work
        if (threads_.empty()) return false;
      }
    }
    waiting_.push_back(std::move(key));
  }
  changed_.notify_all();
  return true;
}

bool Workers::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return stopping_.load(); });
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    const std::string key = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    RefreshCall call(stopping_);
    run_(Call(&call), key);
    lock.lock();
  }
}

} // namespace cache
