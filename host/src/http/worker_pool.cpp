// SPDX-License-Identifier: Apache-2.0
#include "http/worker_pool.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace omnistore::http {

class WorkerPool::Job {
public:
  explicit Job(std::function<void()> function) : run(std::move(function)) {}

  std::function<void()> run;
  // For the pool, under its mutex.
  State state = State::waiting;
  bool stuck = false;
  Work *lane = nullptr;
  std::list<Ticket>::iterator place; ///< while it waits
};

thread_local WorkerPool::Job *WorkerPool::current = nullptr;

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  std::unique_lock lock(mutex_);
  while (!threads_.empty() || !ended_.empty()) {
    join_ended(lock);
    if (!threads_.empty()) wake_.wait(lock, [this] { return !ended_.empty(); });
  }
}

WorkerPool::Ticket WorkerPool::submit(const Lane &name, std::function<void()> function, bool first) {
  auto ticket = std::make_shared<Job>(std::move(function));
  std::unique_lock lock(mutex_);
  join_ended(lock);
  const auto known = lanes_.try_emplace(name).first;
  Work &lane = known->second;
  lane.name = &known->first;
  ticket->lane = &lane;
  if (!first && lane.waiting.size() >= limits_.lane_waiting) return nullptr;
  ticket->place = lane.waiting.insert(first ? lane.waiting.begin() : lane.waiting.end(), ticket);
  if (call_for(lane) || lane.threads > 0) return ticket;
  lane.waiting.erase(ticket->place);
  forget(lane);
  return nullptr;
}

/// Takes a waiting job out of its lane. The caller destroys its contents outside the lock.
std::function<void()> WorkerPool::drop(Job &job) {
  job.state = State::done;
  job.lane->waiting.erase(job.place);
  return std::exchange(job.run, nullptr);
}

bool WorkerPool::withdraw(const Ticket &ticket) {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  if (ticket->state != State::waiting) return false;
  dropped = drop(*ticket);
  return true;
}

WorkerPool::State WorkerPool::give_up(const Ticket &ticket) {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  Work &lane = *ticket->lane;
  const State state = ticket->state;
  if (state == State::waiting) {
    dropped = drop(*ticket);
  } else if (state == State::running && !ticket->stuck) {
    ticket->stuck = true;
    ++lane.stuck;
    --lane.threads;
    if (lane.waiting.size() > lane.ready) call_for(lane);
  }
  return state;
}

bool WorkerPool::move(const Lane &name) {
  const std::lock_guard lock(mutex_);
  const auto known = lanes_.try_emplace(name).first;
  Work &to = known->second, &from = *current->lane;
  to.name = &known->first;
  if (&to == &from || current->stuck) return true;
  if (!may_grow(to)) return false;
  ++to.threads;
  current->lane = &to;
  leave(from);
  return true;
}

WorkerPool::Stats WorkerPool::stats() const {
  const std::lock_guard lock(mutex_);
  Stats all;
  all.threads = threads_.size();
  all.idle = idle_;
  for (const auto &[name, lane] : lanes_) {
    all.stuck += lane.stuck;
    all.waiting += lane.waiting.size();
    if (lane.threads + lane.stuck + lane.waiting.size() != 0)
      all.lanes.push_back({name, lane.threads, lane.waiting.size(), lane.stuck});
  }
  return all;
}

bool WorkerPool::may_grow(const Work &lane) const {
  const unsigned most = lane.name->long_values ? limits_.long_threads : limits_.lane_threads;
  return lane.threads < most && lane.threads + lane.stuck < most + limits_.lane_stuck;
}

/// Gets one more thread for the lane, if it may have one. Returns false if none comes.
bool WorkerPool::call_for(Work &lane) {
  if (!may_grow(lane)) return false;
  if (idle_ > ready_.size()) {
    wake_.notify_one();
  } else if (!add_thread()) {
    return false;
  }
  ++lane.threads;
  ++lane.ready;
  ready_.push_back(&lane);
  return true;
}

/// A thread is done with the lane. Its next job has its turn after the other lanes.
void WorkerPool::leave(Work &lane) {
  if (lane.waiting.size() > lane.ready) {
    // The thread continues with this entry, or with one before it; but one that left by move() does not come back for
    // it.
    const bool comes_back = !current || current->lane == &lane;
    if (!comes_back && idle_ > ready_.size()) {
      wake_.notify_one();
    } else if (!comes_back) {
      add_thread();
    }
    ++lane.ready;
    ready_.push_back(&lane);
    return;
  }
  --lane.threads;
  forget(lane);
}

/// Drops a lane without jobs and threads, since the mounts change.
void WorkerPool::forget(Work &lane) {
  if (lane.threads == 0 && lane.stuck == 0 && lane.ready == 0 && lane.waiting.empty()) lanes_.erase(Lane(*lane.name));
}

/// Returns false if the system's limit is reached: the threads that exist do the work, if there are any.
bool WorkerPool::add_thread() {
  const auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self] { work(self); });
    return true;
  } catch (const std::system_error &) {
    threads_.erase(self);
    return !threads_.empty();
  }
}

void WorkerPool::join_ended(std::unique_lock<std::mutex> &lock) {
  if (ended_.empty()) return;
  std::list<std::thread> ended;
  ended.swap(ended_);
  lock.unlock();
  for (std::thread &thread : ended) thread.join();
  lock.lock();
}

void WorkerPool::work(std::list<std::thread>::iterator self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (ready_.empty()) {
      bool waited_enough = false;
      if (!stopping_) {
        ++idle_;
        waited_enough = wake_.wait_for(lock, limits_.idle) == std::cv_status::timeout;
        --idle_;
      }
      if (!ready_.empty() || !(stopping_ || (waited_enough && threads_.size() > limits_.kept))) continue;
      ended_.splice(ended_.end(), threads_, self);
      wake_.notify_all(); // the destructor
      return;
    }
    Work &lane = *ready_.front();
    ready_.pop_front();
    --lane.ready;
    if (lane.waiting.empty()) { // given up since
      --lane.threads;
      forget(lane);
      continue;
    }
    const Ticket job = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    job->state = State::running;
    std::function<void()> run = std::move(job->run);
    lock.unlock();
    current = job.get();
    run();
    run = nullptr; // what it holds goes outside the lock
    current = nullptr;
    lock.lock();
    job->state = State::done;
    Work &last = *job->lane;
    if (!job->stuck) {
      leave(last);
      continue;
    }
    --last.stuck;
    if (last.waiting.size() > last.ready) call_for(last);
    forget(last);
  }
}

} // namespace omnistore::http
