// SPDX-License-Identifier: Apache-2.0
// The watches of one store. A thread runs while there is at least one watch.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <list>
#include <mutex>
#include <string_view>
#include <thread>

#include <omnistore/lag.hpp>

#include "watching/observer.hpp"

namespace fs {

/// Thread-safe.
class Watches {
public:
  Watches(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own);
  Watches(const Watches &) = delete;
  Watches &operator=(const Watches &) = delete;
  ~Watches();

  /// Begins to report changes of keys that start with `base`, on the thread. Returns when every folder is watched.
  /// Throws a Failure if that is not possible.
  void *begin(std::string_view base, omnistore_watcher &watcher);
  /// Returns after the last event.
  void end(void *watch);
  /// Makes the thread, if it runs, look at the base again. Never waits.
  void wake();
  /// Returns the age of the newest proof that the watches are complete (omnistore/ext/lag.h).
  std::int64_t lag() const { return proof_.age(); }

private:
  void start();
  void stop();
  void run();
  void prove();
  template <class Do>
  void on_thread(Do run);

  OwnChanges &own_;
  std::mutex calling_; ///< one begin or end at a time
  std::list<WatchedBase> all_;
  std::thread thread_;
  Fd waker_; ///< an eventfd, made once
  std::atomic<bool> can_wake_{false};
  omnistore::WatchProof proof_;

  std::mutex mutex_;
  std::packaged_task<void()> task_; ///< work that begin() or end() gives to the thread
  bool stopping_ = false;           ///< used by the thread only

  Observer observer_; ///< used by the thread only, while it runs
};

} // namespace fs
