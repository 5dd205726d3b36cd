// SPDX-License-Identifier: Apache-2.0
#include "host.hpp"

#include <omnistore/value.hpp>

namespace omnistore::kit {
namespace {

/// The call of a task: without a deadline until the store is about to close.
struct TaskCall : omnistore_call {
  const bool *stopping;
  omnistore_context background{};
  explicit TaskCall(const bool *flag) : omnistore_call{}, stopping(flag) {
    background.size = sizeof background;
    background.priority = OMNISTORE_PRIORITY_BACKGROUND;
    background.cancelled = [](const omnistore_context *) noexcept -> std::uint32_t { return 0; };
    size = sizeof(omnistore_call);
    context = &background;
    remaining = [](const omnistore_call *call) noexcept -> std::int64_t {
      return __atomic_load_n(static_cast<const TaskCall *>(call)->stopping, __ATOMIC_RELAXED) ? 0 : INT64_MAX;
    };
    fail = [](omnistore_call *, const omnistore_failure *) noexcept {};
  }
};

} // namespace

KitHost::KitHost()
    : omnistore_host{sizeof(omnistore_host),
                     OMNISTORE_ABI_MAJOR,
                     OMNISTORE_ABI_MINOR,
                     0,
                     &log_,
                     &now_,
                     &submit_,
                     &event_,
                     &extension_} {}

KitHost::~KitHost() { stop(); }

KitHost &KitHost::of(const omnistore_host *host) { return *const_cast<KitHost *>(static_cast<const KitHost *>(host)); }

std::int64_t KitHost::time() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void KitHost::stop() {
  {
    const std::lock_guard lock(mutex_);
    __atomic_store_n(&stopping_, true, __ATOMIC_RELAXED);
    tasks_.clear();
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

std::vector<std::pair<std::uint32_t, std::string>> KitHost::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

void KitHost::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (tasks_.empty()) {
      changed_.wait(lock);
    } else if (const auto due = tasks_.begin()->first; std::chrono::steady_clock::now() < due) {
      changed_.wait_until(lock, due);
    } else {
      const Task task = tasks_.begin()->second;
      tasks_.erase(tasks_.begin());
      lock.unlock();
      TaskCall call(&stopping_);
      task.run(task.argument, &call);
      lock.lock();
    }
  }
}

omnistore_status KitHost::submit_(const omnistore_host *host, omnistore_task task, void *argument, std::uint64_t delay,
                                  std::uint32_t) noexcept {
  KitHost &self = of(host);
  const std::lock_guard lock(self.mutex_);
  if (self.stopping_) return OMNISTORE_UNAVAILABLE;
  constexpr std::uint64_t longest = 1000ull * 3600 * 24 * 365;
  const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(std::min(delay, longest));
  self.tasks_.emplace(due, Task{task, argument});
  if (!self.worker_.joinable()) self.worker_ = std::thread([&self] { self.work(); });
  self.changed_.notify_all();
  return OMNISTORE_OK;
}

void KitHost::event_(const omnistore_host *host, const omnistore_event *event) noexcept {
  KitHost &self = of(host);
  const std::lock_guard lock(self.mutex_);
  self.events_.emplace_back(event->cause, as_view(event->key));
}

} // namespace omnistore::kit
