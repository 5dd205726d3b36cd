// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace omnistore {

/// Does work that may wait long, as closing stores is, on a thread of its own, one after the other; the thread is there
/// while there is some. Thread-safe; destroying it does what is left first.
class Closer {
public:
  Closer() = default;
  ~Closer();
  Closer(const Closer &) = delete;
  Closer &operator=(const Closer &) = delete;

  /// The future is ready when it is done. The work must not throw.
  std::future<void> submit(std::function<void()> work);

private:
  void run();

  std::mutex mutex_;
  std::deque<std::packaged_task<void()>> waiting_;
  std::thread thread_;
  bool running_ = false;
};

} // namespace omnistore
