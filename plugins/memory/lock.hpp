// SPDX-License-Identifier: Apache-2.0
// A lock of four bytes for sections of a microsecond: it spins for a little, then sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace memory {

/// Meets the requirements of a Lockable for std::lock_guard and std::unique_lock. Not recursive, not fair.
class Lock {
public:
  void lock() noexcept {
    uint32_t expected = FREE;
    if (!state_.compare_exchange_strong(expected, HELD, std::memory_order_acquire, std::memory_order_relaxed)) wait();
  }
  void unlock() noexcept {
    if (state_.exchange(FREE, std::memory_order_release) == AWAITED) state_.notify_one();
  }

private:
  static constexpr uint32_t FREE = 0, HELD = 1, AWAITED = 2;

  void wait() noexcept {
    for (int turn = 0; turn < 100; ++turn) {
      uint32_t expected = FREE;
      if (state_.load(std::memory_order_relaxed) == FREE &&
          state_.compare_exchange_weak(expected, HELD, std::memory_order_acquire, std::memory_order_relaxed))
        return;
      pause();
    }
    while (state_.exchange(AWAITED, std::memory_order_acquire) != FREE) state_.wait(AWAITED, std::memory_order_relaxed);
  }

  static void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::atomic<uint32_t> state_{FREE};
};

} // namespace memory
