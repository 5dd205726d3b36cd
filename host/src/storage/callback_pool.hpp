// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace omnistore {

/// Runs the callbacks of watches on a few threads that they share. Thread-safe.
///
/// A callback may block for as long as it likes: one that takes longer than `patience` is slow. A slow task gets a
/// thread of its own, up to `most` threads, and the quick ones keep `quick` threads. So only callbacks that block add
/// threads. A thread that has nothing to do for a while ends.
class CallbackPool : public std::enable_shared_from_this<CallbackPool> {
public:
  static constexpr std::size_t quick = 4;
  static constexpr std::size_t most = 1024;
  static constexpr std::chrono::milliseconds patience{10};

  class Task {
  public:
    virtual ~Task() = default;
    /// Runs for a short time, unless its callback blocks. Returns true if it wants to run again; else somebody pushes
    /// it again when there is more, which may happen before this function has returned. Does not throw.
    virtual bool run() = 0;
  };

  CallbackPool() = default;
  CallbackPool(const CallbackPool &) = delete;
  CallbackPool &operator=(const CallbackPool &) = delete;

  /// Starts the first threads. Throws std::system_error.
  void start();
  /// Runs the task soon. If no thread can be started, it waits until one can.
  void push(std::shared_ptr<Task> task);
  /// Drops what waits, and returns when the running tasks have returned, except the one that calls it.
  void stop();

private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::shared_ptr<Task> task;
    bool slow;
  };
  struct Worker {
    std::thread thread;
    Clock::time_point began{}; ///< of the turn that runs
    bool running = false;
    bool stuck = false; ///< its turn takes longer than `patience`
    bool ended = false;
  };

  void work(Worker &self);
  void supervise();
  void start_worker();
  bool try_start_worker();
  void join_ended();
  void relieve();
  void queue(Waiting waiting);
  /// Lets the supervisor look at the queues until they are empty.
  void look();
  std::size_t free_workers() const { return running_ - stuck_; }

  std::mutex mutex_;
  std::condition_variable work_, look_;
  std::deque<Waiting> quick_, slow_; ///< tasks whose last turn was quick, or slow
  std::list<Worker> workers_;
  std::size_t running_ = 0; ///< workers that have not ended
  std::size_t stuck_ = 0;
  std::size_t idle_ = 0;   ///< workers that wait
  std::size_t called_ = 0; ///< those of them that were notified
  bool looking_ = false;
  bool stopping_ = false;
  std::thread supervisor_;
};

} // namespace omnistore
