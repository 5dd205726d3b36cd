// SPDX-License-Identifier: Apache-2.0
#include "base/in_flight.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_set>
#include <vector>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace omnistore::base {
namespace {

struct Calls {
  std::mutex mutex;
  std::vector<detail::CallSlot *> slots, free;
  std::unordered_set<const CallLabel *> labels;
  void (*begin)() = nullptr;
  void (*end)() = nullptr;
};

Calls &calls() {
  static auto *all = new Calls; // never destroyed: threads may end after main has
  return *all;
}

/// For calls in destructors of thread-locals. Nobody looks at it.
constinit detail::CallSlot late_slot;

/// Gives the slot back when the thread ends.
struct Lease {
  detail::CallSlot *slot = nullptr;
  ~Lease() {
    if (slot && slot->depth.load() != 0)
      return; // a plugin ends the thread or the process, which is still to be reported
    detail::this_slot = &late_slot;
    if (!slot) return;
    void (*end)() = nullptr;
    {
      const std::lock_guard lock(calls().mutex);
      calls().free.push_back(slot); // take_call_slot() made room
      end = calls().end;
    }
    if (end) end();
  }
};
thread_local Lease lease;

} // namespace

CallLabel::CallLabel(const char *file_path, const char *driver_name, const char *mount_name)
    : file(file_path), driver(driver_name), mount(mount_name) {
  const std::lock_guard lock(calls().mutex);
  calls().labels.insert(this);
}

CallLabel::~CallLabel() { hide(); }

void CallLabel::hide() noexcept {
  const std::lock_guard lock(calls().mutex);
  calls().labels.erase(this);
}

detail::CallSlot &detail::take_call_slot() {
  Calls &all = calls();
  void (*begin)() = nullptr;
  {
    const std::lock_guard lock(all.mutex);
    if (all.free.empty()) {
      all.free.reserve(all.slots.size() + 1);
      all.slots.reserve(all.slots.size() + 1);
      all.slots.push_back(new CallSlot);
      all.free.push_back(all.slots.back());
    }
    lease.slot = this_slot = all.free.back();
    all.free.pop_back();
    begin = all.begin;
  }
  this_slot->thread.store(::gettid());
  if (begin) begin();
  return *this_slot;
}

void for_each_call(const std::function<void(const SeenCall &)> &see) {
  Calls &all = calls();
  const std::lock_guard lock(all.mutex);
  for (const detail::CallSlot *slot : all.slots) {
    const std::uint32_t depth = slot->depth.load(std::memory_order_acquire);
    if (depth == 0) continue;
    for (std::uint32_t i = 0; i < std::min<std::size_t>(depth, slot->frames.size()); ++i) {
      const detail::Frame &frame = slot->frames[i];
      const SeenCall call{slot,
                          i,
                          frame.number.load(std::memory_order_relaxed),
                          frame.label.load(std::memory_order_relaxed),
                          frame.operation.load(std::memory_order_relaxed),
                          i + 1 == depth,
                          slot->waits.load() != 0,
                          slot->thread.load()};
      // The thread keeps running, so that the parts may belong to two calls, or to one whose store is closed.
      if (call.number != 0 && call.operation && all.labels.contains(call.label)) see(call);
    }
  }
}

std::uint64_t call_activity() {
  Calls &all = calls();
  const std::lock_guard lock(all.mutex);
  std::uint64_t sum = 0;
  for (const detail::CallSlot *slot : all.slots) sum += slot->frames[0].number.load(std::memory_order_relaxed);
  return sum;
}

namespace {

/// Lets every running thread of the process pass a full memory barrier, so that the threads need none of their own.
/// Returns false if the system cannot.
bool pass_barrier_everywhere() {
  static const bool registered = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered && ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

} // namespace

void detail::wake_watcher() noexcept {
  watcher_sleeps.store(false);
  watcher_sleeps.notify_all();
}

void await_call(const std::atomic<bool> &stop) {
  detail::watcher_sleeps.store(true);
  // A thread stores its depth and then loads `watcher_sleeps`. After the barrier either the depth is visible here, or
  // the thread's load comes later and finds true.
  bool is_needed = stop || !pass_barrier_everywhere();
  if (!is_needed) for_each_call([&](const SeenCall &) { is_needed = true; });
  if (is_needed) return detail::wake_watcher();
  detail::watcher_sleeps.wait(true);
}

bool innermost_call(const char *&file, const char *&driver, const char *&mount, const char *&operation) noexcept {
  const detail::CallSlot *slot = detail::this_slot;
  const std::uint32_t depth = slot ? slot->depth.load() : 0;
  if (depth == 0) return false;
  const detail::Frame &frame = slot->frames[std::min<std::size_t>(depth, slot->frames.size()) - 1];
  const CallLabel *label = frame.label.load();
  if (!label) return false;
  file = label->file;
  driver = label->driver;
  mount = label->mount;
  operation = frame.operation.load();
  return true;
}

void on_plugin_threads(void (*begin)(), void (*end)()) {
  const std::lock_guard lock(calls().mutex);
  calls().begin = begin;
  calls().end = end;
}

} // namespace omnistore::base
