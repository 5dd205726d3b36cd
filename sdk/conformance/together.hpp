// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace omnistore::kit {

/// Runs work(0) to work(count - 1) on threads of their own that begin at the same moment. After all have ended, throws
/// the first exception.
inline void together(int count, const std::function<void(int)> &work) {
  std::atomic<int> ready = 0;
  std::exception_ptr thrown;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < count) std::this_thread::yield();
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!thrown) thrown = std::current_exception();
      }
    });
  for (std::thread &each : threads) each.join();
  if (thrown) std::rethrow_exception(thrown);
}

} // namespace omnistore::kit
