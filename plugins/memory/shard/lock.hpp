// SPDX-License-Identifier: Apache-2.0
// A lock of four bytes for sections of about a microsecond: it spins for a short time, then sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace memory {

/// A BasicLockable for std::lock_guard and std::unique_lock. Not recursive, not fair.
class Lock {
public:
  void lock() noexcept {
    uint32_t expected = unlocked;
    if (!state_.compare_exchange_strong(expected, locked, std::memory_order_acquire, std::memory_order_relaxed)) wait();
  }
  void unlock() noexcept {
    if (state_.exchange(unlocked, std::memory_order_release) == contended) state_.notify_one();
  }

private:
  static constexpr uint32_t unlocked = 0, locked = 1, contended = 2;

  void wait() noexcept {
    for (int turn = 0; turn < 100; ++turn) {
      uint32_t expected = unlocked;
      if (state_.load(std::memory_order_relaxed) == unlocked &&
          state_.compare_exchange_weak(expected, locked, std::memory_order_acquire, std::memory_order_relaxed))
        return;
      pause();
    }
    while (state_.exchange(contended, std::memory_order_acquire) != unlocked)
      state_.wait(contended, std::memory_order_relaxed);
  }

  static void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::atomic<uint32_t> state_{unlocked};
};

} // namespace memory
