// SPDX-License-Identifier: Apache-2.0
// The watches of one store: a thread that runs while there is one.
#pragma once

#include <atomic>
#include <future>
#include <list>
#include <mutex>
#include <string_view>
#include <thread>

#include "watching/observer.hpp"

namespace fs {

/// Thread-safe.
class Watches {
public:
  Watches(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own);
  Watches(const Watches &) = delete;
  Watches &operator=(const Watches &) = delete;
  ~Watches();

  /// Begins to tell of changes of keys that start with `base`, on the thread. Returns when every folder is watched;
  /// throws a Failure where that cannot be.
  void *begin(std::string_view base, omnistore_watcher &watcher);
  /// Returns after the last event was told.
  void end(void *watch);
  /// Has the thread, if it runs, look at base again. Never waits.
  void wake();

private:
  void start();
  void stop();
  void run();
  template <class Do>
  void on_thread(Do run);

  OwnChanges &own_;
  std::mutex calling_; ///< one begin or end at a time
  std::list<WatchedBase> all_;
  std::thread thread_;
  Fd waker_; ///< made once
  std::atomic<bool> can_wake_{false};

  std::mutex mutex_;
  std::packaged_task<void()> task_; ///< what a begin or end has for the thread
  bool stopping_ = false;           ///< the thread's own

  Observer observer_; ///< the thread's own while it runs
};

} // namespace fs
