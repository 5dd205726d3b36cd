// SPDX-License-Identifier: Apache-2.0
// The built memory plugin, opened by its C table over a host whose clock stands still and whose tasks wait until the
// test runs them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dlfcn.h>

#include <catch2/catch.hpp>

#include <omnistore/driver.hpp>

namespace test {

inline const omnistore_driver &memory_driver() {
  static const omnistore_driver &driver = [&]() -> const omnistore_driver & {
    void *library = dlopen(OMNISTORE_BUILD "/plugins/memory.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) throw std::runtime_error(dlerror());
    const auto entry = reinterpret_cast<omnistore_entry>(dlsym(library, OMNISTORE_ENTRY));
    const omnistore_abi abi{sizeof abi, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
    return *entry(&abi)->drivers[0];
  }();
  return driver;
}

class Host : public omnistore_host {
public:
  struct Told {
    uint32_t cause;
    std::string key;
    bool operator==(const Told &) const = default;
  };
  struct Task {
    omnistore_task run;
    void *argument;
    int64_t due;
  };

  std::atomic<int64_t> time{1'700'000'000'000};
  std::atomic<bool> refuses{false}; // tasks
  std::vector<Told> events;
  std::vector<Task> tasks;

  Host() : omnistore_host{} {
    size = sizeof(omnistore_host);
    abi_major = OMNISTORE_ABI_MAJOR;
    omnistore_host::log = [](const omnistore_host *, uint32_t, omnistore_bytes) {};
    omnistore_host::now = [](const omnistore_host *host) { return of(host).time.load(); };
    omnistore_host::submit = [](const omnistore_host *host, omnistore_task task, void *argument, uint64_t delay) {
      return of(host).take(task, argument, delay);
    };
    omnistore_host::event = [](const omnistore_host *host, const omnistore_event *told) { of(host).note(*told); };
  }

  /// Runs the tasks that are due, and those that they submit and that are due as well.
  void run_tasks();

  std::vector<Told> take_events() {
    const std::lock_guard guard(lock_);
    return std::exchange(events, {});
  }

private:
  static Host &of(const omnistore_host *host) { return *const_cast<Host *>(static_cast<const Host *>(host)); }
  omnistore_status take(omnistore_task task, void *argument, uint64_t delay) {
    if (refuses) return OMNISTORE_UNAVAILABLE;
    const std::lock_guard guard(lock_);
    tasks.push_back({task, argument, time + static_cast<int64_t>(delay)});
    return OMNISTORE_OK;
  }
  void note(const omnistore_event &told) {
    const std::lock_guard guard(lock_);
    events.push_back({told.cause, std::string(omnistore::as_view(told.key))});
  }

  std::mutex lock_;
};

/// A call without a deadline unless the test sets one, which keeps the last message.
struct Call : omnistore_call {
  std::string message;
  int64_t left = INT64_MAX;
  Call() : omnistore_call{sizeof(omnistore_call), 0, nullptr, nullptr} {
    remaining = [](const omnistore_call *call) { return static_cast<const Call *>(call)->left; };
    fail = [](omnistore_call *call, uint32_t, omnistore_bytes text) {
      static_cast<Call *>(call)->message = omnistore::as_view(text);
    };
  }
};

inline void Host::run_tasks() {
  Call call;
  for (;;) {
    std::optional<Task> next;
    {
      const std::lock_guard guard(lock_);
      const auto due = std::find_if(tasks.begin(), tasks.end(), [&](const Task &task) { return task.due <= time; });
      if (due == tasks.end()) return;
      next = *due;
      tasks.erase(due);
    }
    next->run(next->argument, &call);
  }
}

/// What a get or stat gave, and how.
struct Got : omnistore_sink {
  std::string bytes, etag;
  uint64_t value_size = 0;
  int64_t mtime = 0, expiry = 0;
  int begun = 0;
  bool offers_buffer = true;

  Got() : omnistore_sink{sizeof(omnistore_sink), 0, nullptr, nullptr} {
    begin = [](omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
      Got &got = *static_cast<Got *>(sink);
      ++got.begun;
      got.value_size = meta->value_size, got.mtime = meta->mtime, got.expiry = meta->expiry;
      got.etag = omnistore::as_view(meta->etag);
      got.room_.assign(meta->value_size, '?');
      if (buffer) *buffer = got.offers_buffer ? got.room_.data() : nullptr;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *sink, const void *data, uint64_t count) {
      static_cast<Got *>(sink)->bytes.append(static_cast<const char *>(data), count);
      return OMNISTORE_OK;
    };
  }
  Got(const Got &) = delete;
  Got &operator=(const Got &) = delete;

private:
  std::string room_;
};

struct Listed {
  std::string key;
  std::optional<std::pair<uint64_t, int64_t>> meta; // size and expiry
};

struct Page : omnistore_page {
  std::vector<Listed> keys;
  std::string cursor;
  Page() : omnistore_page{sizeof(omnistore_page), 0, nullptr, nullptr} {
    emit = [](omnistore_page *page, omnistore_bytes key, const omnistore_meta *meta) {
      Listed &listed = static_cast<Page *>(page)->keys.emplace_back();
      listed.key = omnistore::as_view(key);
      if (meta) listed.meta = {meta->value_size, meta->expiry};
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

class Store {
public:
  Host host;
  omnistore_traits traits = *memory_driver().traits;

  /// `after`: milliseconds that the clock is ahead of that of other stores.
  explicit Store(std::string_view options = "{}", int64_t after = 0) {
    host.time += after;
    Call call;
    omnistore_open_request request{};
    request.size = sizeof request;
    request.options = omnistore::as_bytes(options);
    if (const auto status = driver_.open(&host, &call, &request, &traits, &self_))
      throw std::runtime_error(std::to_string(status) + ": " + call.message);
  }
  Store(const Store &) = delete;
  ~Store() { driver_.close(self_); }

  omnistore_status set(std::string_view key, std::string_view value, How how = {}, omnistore_sink *result = nullptr) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = omnistore::as_bytes(value);
    request.expiry = how.expiry;
    request.condition = how.condition;
    request.etag = omnistore::as_bytes(how.etag);
    Call call;
    const auto status = driver_.set(self_, &call, omnistore::as_bytes(key), &request, result);
    keep(call);
    return status;
  }
  omnistore_status get(std::string_view key, Got &into, uint64_t offset = 0, uint64_t length = UINT64_MAX) {
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, offset, length};
    Call call;
    return driver_.get(self_, &call, omnistore::as_bytes(key), &request, &into);
  }
  omnistore_status stat(std::string_view key, Got &into, uint32_t flags = OMNISTORE_GET_META) {
    const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
    Call call;
    return driver_.stat(self_, &call, omnistore::as_bytes(key), &request, &into);
  }
  std::optional<std::string> get(std::string_view key) {
    Got got;
    return get(key, got) == OMNISTORE_OK ? std::optional(got.bytes) : std::nullopt;
  }
  std::string etag(std::string_view key) {
    Got got;
    stat(key, got);
    return got.etag;
  }
  omnistore_status remove(std::string_view key, uint32_t condition = OMNISTORE_ALWAYS, std::string_view etag = "") {
    const omnistore_remove_request request{sizeof request, 0, condition, 0, omnistore::as_bytes(etag)};
    Call call;
    return driver_.remove(self_, &call, omnistore::as_bytes(key), &request);
  }
  omnistore_status touch(std::string_view key, int64_t expiry) {
    const omnistore_touch_request request{sizeof request, 0, expiry};
    Call call;
    return driver_.touch(self_, &call, omnistore::as_bytes(key), &request);
  }
  omnistore_status page(Page &into, std::string_view base, uint32_t limit, std::string_view cursor,
                        uint32_t depth = OMNISTORE_ANY_DEPTH, uint32_t flags = 0) {
    omnistore_list_request request{};
    request.size = sizeof request;
    request.flags = flags;
    request.base = omnistore::as_bytes(base);
    request.depth = depth;
    request.limit = limit;
    request.cursor = omnistore::as_bytes(cursor);
    Call call;
    const auto status = driver_.list(self_, &call, &request, &into);
    keep(call);
    return status;
  }
  /// All keys of a listing, page by page.
  std::vector<std::string> list(std::string_view base = "", uint32_t depth = OMNISTORE_ANY_DEPTH,
                                uint32_t limit = 100) {
    std::vector<std::string> keys;
    std::string cursor;
    do {
      Page into;
      if (page(into, base, limit, cursor, depth) != OMNISTORE_OK) throw std::runtime_error("list: " + message());
      for (Listed &listed : into.keys) keys.push_back(std::move(listed.key));
      cursor = into.cursor;
    } while (!cursor.empty());
    return keys;
  }
  omnistore_status clear(std::string_view base = "", Page *removed = nullptr) {
    const omnistore_clear_request request{sizeof request, 0, omnistore::as_bytes(base)};
    Call call;
    return driver_.clear(self_, &call, &request, removed);
  }

  /// The message of the last failure.
  std::string message() const { return message_; }
  int64_t now() const { return host.time; }
  const omnistore_driver &driver() const { return driver_; }
  void *self() const { return self_; }

private:
  void keep(Call &call) {
    if (!call.message.empty()) message_ = call.message;
  }
  const omnistore_driver &driver_ = memory_driver();
  void *self_ = nullptr;
  std::string message_;
};

inline std::string numbered(std::string_view prefix, size_t number) {
  std::string digits = std::to_string(number);
  return std::string(prefix) + std::string(7 - digits.size(), '0') + digits;
}

} // namespace test
