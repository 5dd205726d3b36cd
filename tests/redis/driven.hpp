// SPDX-License-Identifier: Apache-2.0
// The built redis plugin, opened by its C table over a host with the system's clock, which runs tasks on a thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <omnistore/testing.hpp>

#include "redis/client.hpp"
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

/// Returns when the condition holds; false when it does not within 30 seconds. For what another process does in its own
/// time and tells nobody.
template <class Condition>
bool eventually(Condition holds) {
  const auto end = Steady::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (Steady::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
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
    omnistore_host::submit = [](const omnistore_host *host, omnistore_task task, void *argument, uint64_t delay) {
      return of(host).take(task, argument, delay);
    };
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

using Call = omnistore::testing::BareCall;

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

/// What a get or stat gave, and how.
struct Got : omnistore_sink {
  std::string bytes, etag;
  uint64_t value_size = 0;
  int64_t expiry = 0;
  int begun = 0;

  Got() : omnistore_sink{sizeof(omnistore_sink), 0, nullptr, nullptr} {
    begin = [](omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
      Got &got = *static_cast<Got *>(sink);
      ++got.begun;
      got.value_size = meta->value_size, got.expiry = meta->expiry;
      got.etag = omnistore::as_view(meta->etag);
      if (buffer) *buffer = nullptr;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *sink, const void *data, uint64_t count) {
      static_cast<Got *>(sink)->bytes.append(static_cast<const char *>(data), count);
      return OMNISTORE_OK;
    };
  }
  Got(const Got &) = delete;
  Got &operator=(const Got &) = delete;
};

struct Page : omnistore_page {
  std::vector<std::string> keys;
  std::map<std::string, std::pair<uint64_t, int64_t>> meta; // size and expiry
  std::string cursor;
  Page() : omnistore_page{sizeof(omnistore_page), 0, nullptr, nullptr} {
    emit = [](omnistore_page *page, omnistore_bytes key, const omnistore_meta *known) {
      Page &self = *static_cast<Page *>(page);
      self.keys.emplace_back(omnistore::as_view(key));
      if (known) self.meta[self.keys.back()] = {known->value_size, known->expiry};
      return OMNISTORE_OK;
    };
    next = [](omnistore_page *page, omnistore_bytes at) { static_cast<Page *>(page)->cursor = omnistore::as_view(at); };
  }
};

/// How a set is done, where it is not the plain one.
struct How {
  int64_t expiry = 0;
  uint32_t condition = OMNISTORE_ALWAYS;
  std::string_view etag = {};
};

/// "name":"text", for options.
inline std::string option(std::string_view name, std::string_view text) {
  return "\"" + std::string(name) + "\":\"" + std::string(text) + "\"";
}

/// A store of its own base in the shared server, or one as its options say. Any thread may call it.
class Store {
public:
  Host host;
  omnistore_traits traits = *redis_driver().traits;

  Store() : Store("{" + option("url", shared_server().url()) + "," + option("base", own_base()) + patient() + "}") {}
  explicit Store(const std::string &options, bool runs_tasks = true) : host(runs_tasks), options_(options) {
    Call call;
    omnistore_open_request request{};
    request.size = sizeof request;
    request.options = omnistore::as_bytes(options);
    if (const auto status = driver_.open(&host, &call, &request, &traits, &self_); status != OMNISTORE_OK)
      throw omnistore::testing::Refused(status, call.message());
  }
  Store(const Store &) = delete;
  ~Store() {
    host.end_tasks();
    driver_.close(self_);
  }
  /// Timeouts that no busy machine reaches.
  static std::string patient() { return ",\"connectTimeout\":30000,\"commandTimeout\":30000"; }
  /// A base that no other test has.
  static std::string own_base() {
    static std::atomic<int> number = 0;
    return "test" + std::to_string(++number);
  }

  omnistore_status set(std::string_view key, std::string_view value, How how = {}, omnistore_sink *result = nullptr) {
    const omnistore_set_request request = set_request(value, how);
    Call call;
    return kept(call, driver_.set(self_, &call, omnistore::as_bytes(key), &request, result));
  }
  static omnistore_set_request set_request(std::string_view value, const How &how) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = omnistore::as_bytes(value);
    request.expiry = how.expiry;
    request.condition = how.condition;
    request.etag = omnistore::as_bytes(how.etag);
    return request;
  }
  omnistore_status get(std::string_view key, Got &into, uint64_t offset = 0, uint64_t length = UINT64_MAX,
                       uint32_t flags = 0) {
    Call call;
    return get(call, key, into, offset, length, flags);
  }
  omnistore_status get(Call &call, std::string_view key, Got &into, uint64_t offset = 0, uint64_t length = UINT64_MAX,
                       uint32_t flags = 0) {
    const omnistore_get_request request{sizeof request, flags, offset, length};
    return kept(call, driver_.get(self_, &call, omnistore::as_bytes(key), &request, &into));
  }
  omnistore_status stat(std::string_view key, Got &into, uint32_t flags = 0) {
    const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
    Call call;
    return kept(call, driver_.stat(self_, &call, omnistore::as_bytes(key), &request, &into));
  }
  /// The value; nothing where the key has none. Any other status is thrown.
  std::optional<std::string> get(std::string_view key) {
    Got got;
    const auto status = get(key, got);
    if (status == OMNISTORE_NOT_FOUND) return {};
    if (status != OMNISTORE_OK) throw omnistore::testing::Refused(status, message());
    return got.bytes;
  }
  std::string etag(std::string_view key) {
    Got got;
    stat(key, got, OMNISTORE_GET_META);
    return got.etag;
  }
  omnistore_status remove(std::string_view key, uint32_t condition = OMNISTORE_ALWAYS, std::string_view etag = "") {
    const omnistore_remove_request request{sizeof request, 0, condition, 0, omnistore::as_bytes(etag)};
    Call call;
    return kept(call, driver_.remove(self_, &call, omnistore::as_bytes(key), &request));
  }
  omnistore_status touch(std::string_view key, int64_t expiry) {
    const omnistore_touch_request request{sizeof request, 0, expiry};
    Call call;
    return kept(call, driver_.touch(self_, &call, omnistore::as_bytes(key), &request));
  }
  omnistore_status page(Page &into, std::string_view base, uint32_t limit, std::string_view cursor,
                        uint32_t flags = 0) {
    omnistore_list_request request{};
    request.size = sizeof request;
    request.flags = flags;
    request.base = omnistore::as_bytes(base);
    request.depth = OMNISTORE_ANY_DEPTH;
    request.limit = limit;
    request.cursor = omnistore::as_bytes(cursor);
    Call call;
    return kept(call, driver_.list(self_, &call, &request, &into));
  }
  /// All keys of a listing, page by page.
  std::vector<std::string> list(std::string_view base = "", uint32_t limit = 100) {
    std::vector<std::string> keys;
    std::string cursor;
    do {
      Page into;
      if (const auto status = page(into, base, limit, cursor); status != OMNISTORE_OK)
        throw omnistore::testing::Refused(status, message());
      keys.insert(keys.end(), into.keys.begin(), into.keys.end());
      cursor = into.cursor;
    } while (!cursor.empty());
    return keys;
  }
  omnistore_status clear(std::string_view base = "", Page *removed = nullptr) {
    const omnistore_clear_request request{sizeof request, 0, omnistore::as_bytes(base)};
    Call call;
    return kept(call, driver_.clear(self_, &call, &request, removed));
  }

  /// The message of the last failure on this thread's call.
  std::string message() {
    const std::lock_guard guard(lock_);
    return message_;
  }
  std::string base() const {
    const std::string name = "\"base\":\"";
    const auto at = options_.find(name);
    if (at == options_.npos) return {};
    return options_.substr(at + name.size(), options_.find('"', at + name.size()) - at - name.size());
  }
  /// Where a key lies in the server.
  std::string full(std::string_view key) const { return base() + ":" + std::string(key); }
  const omnistore_driver &driver() const { return driver_; }
  void *self() const { return self_; }

private:
  omnistore_status kept(Call &call, omnistore_status status) {
    if (call.messages.empty()) return status;
    const std::lock_guard guard(lock_);
    message_ = call.message();
    return status;
  }

  const omnistore_driver &driver_ = redis_driver();
  const std::string options_;
  void *self_ = nullptr;
  std::mutex lock_;
  std::string message_;
};

} // namespace test
