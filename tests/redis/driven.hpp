// SPDX-License-Identifier: Apache-2.0
// The built redis plugin, opened by its C table over a host with the system's clock, which runs tasks on a thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <catch2/catch.hpp>

#include "redis/client.hpp"
#include "support/driven.hpp"
#include "support/redis_server.hpp"

namespace test {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

inline const omnistore_driver &redis_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/redis.so");
  return library.driver();
}

/// The server that tests share who do not stop it: each has a base of its own in it.
inline RedisServer &shared_server() {
  static RedisServer server({"--notify-keyspace-events", "KEA"});
  return server;
}

inline int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Runs tasks one at a time on a thread of its own, unless it refuses them.
class Host : public omnistore_host {
public:
  explicit Host(bool runs_tasks = true) : omnistore_host{}, runs_tasks_(runs_tasks) {
    size = sizeof(omnistore_host);
    abi_major = OMNISTORE_ABI_MAJOR;
    omnistore_host::log = [](const omnistore_host *host, uint32_t, omnistore_bytes line) {
      const std::lock_guard guard(of(host).lock_);
      of(host).lines_ += std::string(omnistore::as_view(line)) + "\n";
    };
    omnistore_host::now = [](const omnistore_host *) { return now_ms(); };
    omnistore_host::submit = [](const omnistore_host *host, omnistore_task task, void *argument, uint64_t delay,
                                uint32_t) { return of(host).take(task, argument, delay); };
    omnistore_host::event = [](const omnistore_host *, const omnistore_event *) {};
    omnistore_host::extension = [](const omnistore_host *, const char *) -> const void * { return nullptr; };
    if (runs_tasks) worker_ = std::thread([this] { run(); });
  }
  ~Host() { end_tasks(); }

  /// The running task is waited for, the others are dropped.
  void end_tasks() {
    {
      const std::lock_guard guard(lock_);
      ends_ = true;
    }
    changed_.notify_one();
    if (worker_.joinable()) worker_.join();
  }
  std::string lines() {
    const std::lock_guard guard(lock_);
    return lines_;
  }

private:
  struct Task {
    omnistore_task run;
    void *argument;
  };

  static Host &of(const omnistore_host *host) { return *const_cast<Host *>(static_cast<const Host *>(host)); }
  omnistore_status take(omnistore_task task, void *argument, uint64_t delay) {
    {
      const std::lock_guard guard(lock_);
      if (!runs_tasks_ || ends_) return OMNISTORE_UNAVAILABLE;
      tasks_.emplace(Steady::now() + milliseconds(delay), Task{task, argument});
    }
    changed_.notify_one();
    return OMNISTORE_OK;
  }
  void run() {
    std::unique_lock lock(lock_);
    while (!ends_) {
      if (tasks_.empty()) {
        changed_.wait(lock);
      } else if (const auto due = tasks_.begin()->first; Steady::now() < due) {
        changed_.wait_until(lock, due);
      } else {
        const Task task = tasks_.extract(tasks_.begin()).mapped();
        lock.unlock();
        omnistore::testing::BareCall call;
        task.run(task.argument, &call);
        lock.lock();
      }
    }
  }

  const bool runs_tasks_;
  std::mutex lock_;
  std::condition_variable changed_;
  bool ends_ = false;
  std::multimap<Steady::time_point, Task> tasks_;
  std::string lines_;
  std::thread worker_;
};

/// A call whose time is up at a moment.
struct TimedCall : Call {
  Steady::time_point deadline;
  explicit TimedCall(milliseconds limit) : deadline(Steady::now() + limit) {
    remaining = [](const omnistore_call *call) -> int64_t {
      const auto rest = static_cast<const TimedCall *>(call)->deadline - Steady::now();
      return std::max<int64_t>(0, std::chrono::duration_cast<milliseconds>(rest).count());
    };
  }
};

/// A store of its own base in the shared server, or one as its options say. Any thread may call it.
class Store : public Driven {
public:
  Host host;

  Store() : Store("{" + option("url", shared_server().url()) + "," + option("base", own_base()) + patient() + "}") {}
  explicit Store(const std::string &options, bool runs_tasks = true)
      : Driven(redis_driver()), host(runs_tasks), options_(options) {
    open(host, options);
  }
  ~Store() {
    host.end_tasks();
    close();
  }
  /// Timeouts that no busy machine reaches.
  static std::string patient() { return ",\"connectTimeout\":30000,\"commandTimeout\":30000"; }
  /// A base that no other test has.
  static std::string own_base() {
    static std::atomic<int> number = 0;
    return "test" + std::to_string(++number);
  }

  std::string base() const {
    const std::string name = "\"base\":\"";
    const auto at = options_.find(name);
    if (at == options_.npos) return {};
    return options_.substr(at + name.size(), options_.find('"', at + name.size()) - at - name.size());
  }
  /// The place of a key in the server.
  std::string full(std::string_view key) const { return base() + ":" + std::string(key); }

private:
  const std::string options_;
};

} // namespace test
