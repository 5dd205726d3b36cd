// SPDX-License-Identifier: Apache-2.0
#include "watching/watches.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <omnistore/background.hpp>

#include "tree/retry.hpp"

namespace fs {

namespace {

constexpr int longest_pause = omnistore::WatchProof::interval.count(); // milliseconds

} // namespace

Watches::Watches(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own)
    : own_(own), observer_(host, tree, ignore, own) {}

Watches::~Watches() {
  if (thread_.joinable()) stop();
}

void *Watches::begin(std::string_view base, omnistore_watcher &watcher) {
  const std::lock_guard lock(calling_);
  proof_.start();
  if (!thread_.joinable()) start();
  WatchedBase &watching = all_.emplace_back(WatchedBase{std::string(base), folder_of(base), &watcher});
  try {
    on_thread([&] { observer_.add(watching); });
  } catch (...) {
    all_.pop_back();
    if (all_.empty()) stop();
    throw;
  }
  return &watching;
}

void Watches::end(void *watch) {
  const std::lock_guard lock(calling_);
  WatchedBase &watching = *static_cast<WatchedBase *>(watch);
  on_thread([&] { observer_.remove(watching); });
  all_.remove_if([&](const WatchedBase &other) { return &other == &watching; });
  if (all_.empty()) stop();
}

void Watches::start() {
  if (!waker_) waker_ = Fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!waker_) fail(errno, "eventfd");
  can_wake_.store(true, std::memory_order_release);
  own_.start();
  stopping_ = false;
  try {
    thread_ = omnistore::background_thread([this] { run(); });
  } catch (const std::system_error &error) {
    own_.stop();
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, std::string("a thread for the watch: ") + error.what());
  }
  pthread_setname_np(thread_.native_handle(), "omnistore-fs");
}

void Watches::stop() {
  on_thread([this] { stopping_ = true; });
  thread_.join();
  own_.stop();
}

void Watches::wake() {
  if (!can_wake_.load(std::memory_order_acquire)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = retry(::write, waker_.get(), &one, sizeof one);
}

/// Runs `run` on the thread, between two notifications, and waits for it.
template <class Do>
void Watches::on_thread(Do run) {
  std::packaged_task<void()> task(std::move(run));
  std::future<void> done = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    task_ = std::move(task);
  }
  wake();
  done.get();
}

void Watches::run() {
  while (!stopping_) {
    pollfd polled[2] = {{waker_.get(), POLLIN, 0}, {observer_.get(), POLLIN, 0}};
    int pause = observer_.timeout();
    if (proof_.is_wanted() && (pause < 0 || pause > longest_pause)) pause = longest_pause;
    ::poll(polled, std::size(polled), pause);
    if (polled[0].revents & POLLIN) {
      std::uint64_t count;
      [[maybe_unused]] const ssize_t size = retry(::read, waker_.get(), &count, sizeof count);
      std::packaged_task<void()> task;
      {
        const std::lock_guard lock(mutex_);
        task.swap(task_);
      }
      if (task.valid()) task();
    }
    observer_.work();
    prove();
  }
}

/// The system queues the notification of a change before the change returns. So if the queue is empty now, and no
/// folder must be scanned first, every earlier change has been reported.
void Watches::prove() {
  if (observer_.get() < 0 || observer_.is_behind()) return;
  const auto now = omnistore::WatchProof::Clock::now();
  pollfd queue{observer_.get(), POLLIN, 0};
  if (::poll(&queue, 1, 0) == 0) proof_.renew(now);
}

} // namespace fs
