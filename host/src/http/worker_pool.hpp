// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace omnistore::http {

/// Threads for work that may wait. Work comes in lanes, one for each store: a lane has threads of its own share, so
/// that a store that hangs keeps its own requests waiting and no others. Threads are made when they are needed, so that
/// there are as many as work at once, and most of them end when they have had nothing to do for a while.
///
/// Thread-safe, but for the destructor.
class WorkerPool {
public:
  struct Limits {
    unsigned lane_threads = 16;             ///< at work for one lane
    unsigned long_threads = 128;            ///< at work for one lane of long values; they mostly wait for clients
    unsigned lane_stuck = 16;               ///< of one lane that are replaced while they hang in a driver
    std::size_t lane_waiting = 4096;        ///< jobs of one lane that wait for a thread
    std::size_t kept = 16;                  ///< threads that stay, however long they have nothing to do
    std::chrono::milliseconds idle{10'000}; ///< after which the others end
  };
  struct Lane {
    std::string name;
    std::uint64_t store = 0; ///< its number: the store that takes another's place under the same name begins afresh
    bool long_values = false;
    auto operator<=>(const Lane &) const = default;
  };
  class Job;
  using Ticket = std::shared_ptr<Job>;
  enum class State { waiting, running, done };

  explicit WorkerPool(Limits limits) : limits_(limits) {}
  /// Runs what waits still, and joins the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool &) = delete;
  WorkerPool &operator=(const WorkerPool &) = delete;

  /// Returns null, and does not run the job, if too many wait in this lane already, or if all threads that it may have
  /// hang. `first` puts the job before all that wait, however many they are. Jobs must not throw.
  Ticket submit(const Lane &lane, std::function<void()> job, bool first = false);

  /// Drops the job if it still waits for a thread. Returns false if it does not.
  bool withdraw(const Ticket &ticket);
  /// Ends the wait for a job. One that waits for a thread is dropped. The thread of one that runs counts as stuck, and
  /// its lane may have another in its place. Returns the state of the job.
  State give_up(const Ticket &ticket);

  /// Called by a running job: its thread counts among those of another lane from now on, so that the job's own lane may
  /// have a thread for its next job. Returns false, without a change, if the other lane has as many threads as it may
  /// have.
  bool move(const Lane &lane);

  struct LaneStats {
    Lane lane;
    std::size_t working = 0, waiting = 0, stuck = 0;
  };
  struct Stats {
    std::size_t threads = 0, idle = 0, stuck = 0, waiting = 0;
    std::vector<LaneStats> lanes; ///< those that have something to do
  };
  Stats stats() const;

private:
  /// A lane's jobs and threads.
  struct Work {
    const Lane *name = nullptr;
    std::list<Ticket> waiting;
    unsigned threads = 0;  ///< at work for it, or on their way; without those that are stuck
    unsigned stuck = 0;    ///< whose job was given up and still runs
    std::size_t ready = 0; ///< its entries in ready_
  };
  std::function<void()> drop(Job &job);
  bool may_grow(const Work &lane) const;
  bool call_for(Work &lane);
  void leave(Work &lane);
  void forget(Work &lane);
  bool add_thread();
  void work(std::list<std::thread>::iterator self);
  void join_ended(std::unique_lock<std::mutex> &lock);

  static thread_local Job *current; ///< that the thread runs

  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<Lane, Work> lanes_;
  std::deque<Work *> ready_; ///< one entry for each thread that a lane is to have
  std::list<std::thread> threads_, ended_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

} // namespace omnistore::http
