// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace omnistore::server {

/// Threads for work that may wait. Work comes in lanes, one for each mount: a lane has at most a few threads at once,
/// so that a store that hangs keeps its own requests waiting and no others. Threads are made when they are first
/// needed, and kept.
///
/// Thread-safe, but for the destructor.
class Pool {
public:
  struct Limits {
    unsigned threads = 128;          ///< in all
    unsigned lane_threads = 16;      ///< at work for one lane
    std::size_t lane_waiting = 4096; ///< jobs of one lane that wait for a thread
  };

  explicit Pool(Limits limits) : limits_(limits) {}
  /// Runs what waits still, and joins the threads.
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  /// False: too many wait in this lane already, and the job will not run. Jobs must not throw.
  bool submit(const std::string &lane, std::function<void()> job);

  /// Called by a running job: its thread counts among those of another lane from now on, so that the job's own lane may
  /// have a thread for its next job. False: the other lane has as many threads as it may have, and nothing changed.
  bool move(const std::string &lane);

private:
  struct Lane {
    std::deque<std::function<void()>> waiting;
    unsigned threads = 0;  ///< at work for it, or on their way
    std::size_t ready = 0; ///< its entries in ready_; at most as many as jobs wait
  };
  bool add_thread();
  bool call_thread();
  void leave(Lane &lane);
  void work();

  static thread_local Lane *current_lane; ///< that the thread's job counts for

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Lane> lanes_;
  std::deque<Lane *> ready_; ///< one entry for each thread that a lane is to have
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

} // namespace omnistore::server
