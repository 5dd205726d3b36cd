// SPDX-License-Identifier: Apache-2.0
// Which calls into plugins run now: for the watchdog, which reports those that take too long, and for the report of a
// fatal signal.
//
// Each thread keeps the calls that it is inside in a slot of its own, without a lock, a clock or a read-modify-write:
// entering and leaving a call costs five plain stores, and a load that finds out if the watchdog sleeps.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>

namespace omnistore::base {

/// The target of a call. The texts are NUL-terminated, since a signal handler prints them, and live as long as the
/// label.
class CallLabel {
public:
  CallLabel(const char *file_path, const char *driver_name, const char *mount_name);
  virtual ~CallLabel();
  CallLabel(const CallLabel &) = delete;
  CallLabel &operator=(const CallLabel &) = delete;

  /// Returns true if a call may wait for nothing. The watchdog then looks for calls that take longer than 50 ms.
  virtual bool never_blocks() const noexcept { return false; }
  /// Such a call was found. Called by the watchdog, which holds the lock of for_each_call().
  virtual void blocked(const char *operation) noexcept { static_cast<void>(operation); }

protected:
  /// No watchdog looks at it any more. A class with functions of its own calls this first in its destructor, before
  /// they are gone.
  void hide() noexcept;

public:
  const char *const file;   ///< the plugin's
  const char *const driver; ///< "" while the plugin is loaded
  const char *const mount;  ///< "" while the plugin is loaded
};

namespace detail {

struct Frame {
  std::atomic<const CallLabel *> label{nullptr};
  std::atomic<const char *> operation{nullptr};
  std::atomic<std::uint64_t> number{0}; ///< of the call among the thread's; 0: it may take any time
};

/// A thread's calls, the outermost first. Deeper ones than there are frames for are only counted.
struct alignas(64) CallSlot {
  std::atomic<std::uint32_t> depth{0};
  std::atomic<std::uint32_t> waits{0}; ///< not 0: the host's side of a call waits for its client
  std::array<Frame, 8> frames;
  std::uint64_t numbers = 0;
  std::atomic<int> thread{0}; ///< the kernel's number of it
};

inline constinit thread_local CallSlot *this_slot = nullptr;
/// True while the watchdog sleeps because no call is under way. It has a cache line of its own, which rarely changes.
alignas(64) inline constinit std::atomic<bool> watcher_sleeps{false};
void wake_watcher() noexcept;

CallSlot &take_call_slot();
inline CallSlot &call_slot() { return this_slot ? *this_slot : take_call_slot(); }

} // namespace detail

/// A call into a plugin, from its construction to its destruction. On one thread.
class InFlight {
public:
  enum Kind { timed, untimed };
  /// `operation` is a literal.
  InFlight(const CallLabel &label, const char *operation, Kind kind = timed)
      : slot_(detail::call_slot()), depth_(slot_.depth.load(std::memory_order_relaxed)) {
    if (depth_ < slot_.frames.size()) {
      detail::Frame &frame = slot_.frames[depth_];
      frame.label.store(&label, std::memory_order_relaxed);
      frame.operation.store(operation, std::memory_order_relaxed);
      frame.number.store(kind == timed ? ++slot_.numbers : 0, std::memory_order_relaxed);
    }
    slot_.depth.store(depth_ + 1, std::memory_order_release);
    // The processor may run the load before the store: await_call() makes up for it.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (kind == timed && detail::watcher_sleeps.load(std::memory_order_relaxed)) [[unlikely]]
      detail::wake_watcher();
  }
  ~InFlight() { slot_.depth.store(depth_, std::memory_order_release); }
  InFlight(const InFlight &) = delete;
  InFlight &operator=(const InFlight &) = delete;

private:
  detail::CallSlot &slot_;
  const std::uint32_t depth_;
};

/// The host's side of a call waits for its client: the time is not the driver's.
class ClientWait {
public:
  ClientWait() : slot_(detail::call_slot()) { slot_.waits.store(slot_.waits.load(std::memory_order_relaxed) + 1); }
  ~ClientWait() { slot_.waits.store(slot_.waits.load(std::memory_order_relaxed) - 1); }
  ClientWait(const ClientWait &) = delete;
  ClientWait &operator=(const ClientWait &) = delete;

private:
  detail::CallSlot &slot_;
};

/// A call that was under way when it was looked at.
struct SeenCall {
  const void *slot;
  std::uint32_t depth;
  std::uint64_t number;
  const CallLabel *label;
  const char *operation;
  bool innermost;
  bool waits; ///< the host's side of it waits for its client
  int thread;
};

/// Calls `see` for each timed call under way, the outermost of a thread first. No label goes meanwhile. Thread-safe.
void for_each_call(const std::function<void(const SeenCall &)> &see);

/// Returns a number that changes when calls begin.
std::uint64_t call_activity();

/// Waits until a timed call begins or wake_watcher() is called. Returns at once if such a call is under way, if `stop`
/// is true, or if the system has no membarrier(2). For the watchdog's thread.
void await_call(const std::atomic<bool> &stop);

/// Finds the call that runs on this thread, for a signal handler. Returns false if it is in no plugin.
/// Async-signal-safe.
bool innermost_call(const char *&file, const char *&driver, const char *&mount, const char *&operation) noexcept;

/// Runs `begin` on each thread before its first call into a plugin, and `end` when the thread ends. Call it once,
/// before other threads run. For what a signal handler needs of each thread.
void on_plugin_threads(void (*begin)(), void (*end)());

} // namespace omnistore::base
