// SPDX-License-Identifier: Apache-2.0
// The built fs plugin, opened by its C table over a host whose clock stands still and whose tasks wait until the test
// runs them.
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

#include "support/temporary.hpp"

namespace test {

inline const omnistore_driver &fs_driver() {
  static const omnistore_driver &driver = [&]() -> const omnistore_driver & {
    void *library = dlopen(OMNISTORE_BUILD "/plugins/fs.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) throw std::runtime_error(dlerror());
    const auto entry = reinterpret_cast<omnistore_entry>(dlsym(library, OMNISTORE_ENTRY));
    const omnistore_abi abi{sizeof abi, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
    return *entry(&abi)->drivers[0];
  }();
  return driver;
}

/// A call that keeps the last message.
struct Call : omnistore_call {
  std::string message;
  std::int64_t left = INT64_MAX;

  Call() : omnistore_call{sizeof(omnistore_call), 0, nullptr, nullptr} {
    remaining = [](const omnistore_call *call) { return static_cast<const Call *>(call)->left; };
    fail = [](omnistore_call *call, std::uint32_t, omnistore_bytes text) {
      static_cast<Call *>(call)->message = omnistore::as_view(text);
    };
  }
};

class Host : public omnistore_host {
public:
  std::atomic<std::int64_t> time{1'700'000'000'000};

  Host() : omnistore_host{} {
    size = sizeof(omnistore_host);
    abi_major = OMNISTORE_ABI_MAJOR;
    log = [](const omnistore_host *host, std::uint32_t, omnistore_bytes text) {
      const std::lock_guard guard(of(host).lock_);
      of(host).lines_.emplace_back(omnistore::as_view(text));
    };
    now = [](const omnistore_host *host) { return of(host).time.load(); };
    submit = [](const omnistore_host *host, omnistore_task task, void *argument, std::uint64_t delay) {
      const std::lock_guard guard(of(host).lock_);
      of(host).tasks_.push_back({task, argument, of(host).time + static_cast<std::int64_t>(delay)});
      return OMNISTORE_OK;
    };
    event = [](const omnistore_host *host, const omnistore_event *told) {
      const std::lock_guard guard(of(host).lock_);
      if (told->type == OMNISTORE_EVENT_REMOVE && told->cause == OMNISTORE_CAUSE_EXPIRED) {
        of(host).expired_.emplace_back(omnistore::as_view(told->key));
      }
    };
  }

  /// Lets the clock go on to a moment, running each task when it is due.
  void run_until(std::int64_t moment) {
    Call call;
    for (;;) {
      Task next{};
      {
        const std::lock_guard guard(lock_);
        const auto first =
            std::min_element(tasks_.begin(), tasks_.end(), [](const Task &a, const Task &b) { return a.due < b.due; });
        if (first == tasks_.end() || first->due > moment) break;
        next = *first;
        tasks_.erase(first);
      }
      time = std::max(time.load(), next.due);
      next.run(next.argument, &call);
    }
    time = moment;
  }
  void run_for(std::int64_t span) { run_until(time + span); }

  std::vector<std::string> take_expired() {
    const std::lock_guard guard(lock_);
    std::vector<std::string> keys = std::exchange(expired_, {});
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  /// As a host does when it closes the store that they belong to.
  void drop_tasks() {
    const std::lock_guard guard(lock_);
    tasks_.clear();
  }
  std::size_t tasks() const { return tasks_.size(); }
  const std::vector<std::string> &lines() const { return lines_; }

private:
  struct Task {
    omnistore_task run;
    void *argument;
    std::int64_t due;
  };
  static Host &of(const omnistore_host *host) { return *const_cast<Host *>(static_cast<const Host *>(host)); }

  std::mutex lock_;
  std::vector<Task> tasks_;
  std::vector<std::string> expired_, lines_;
};

/// What a get or stat gave.
struct Got : omnistore_sink {
  std::string bytes, etag;
  std::uint64_t value_size = 0;
  std::int64_t mtime = 0, expiry = 0;
  int begun = 0, writes = 0;
  bool offers_buffer = true;

  Got() : omnistore_sink{sizeof(omnistore_sink), 0, nullptr, nullptr} {
    begin = [](omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
      Got &got = *static_cast<Got *>(sink);
      ++got.begun;
      got.value_size = meta->value_size, got.mtime = meta->mtime, got.expiry = meta->expiry;
      got.etag = omnistore::as_view(meta->etag);
      if (buffer && got.offers_buffer) got.room_.assign(meta->value_size + 1, '?');
      if (buffer) *buffer = got.offers_buffer ? got.room_.data() : nullptr;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *sink, const void *data, std::uint64_t count) {
      Got &got = *static_cast<Got *>(sink);
      ++got.writes;
      got.bytes.append(static_cast<const char *>(data), count);
      return OMNISTORE_OK;
    };
  }
  Got(const Got &) = delete;
  Got &operator=(const Got &) = delete;

private:
  std::string room_;
};

/// A value that comes in pieces; it may break off.
struct Source : omnistore_source {
  std::vector<std::string> pieces;
  bool breaks_off = false;
  std::size_t next = 0;

  explicit Source(std::vector<std::string> all)
      : omnistore_source{sizeof(omnistore_source), 0, nullptr}, pieces(std::move(all)) {
    read = [](omnistore_source *source, void *buffer, std::uint64_t, std::uint64_t *count) {
      Source &self = *static_cast<Source *>(source);
      *count = 0;
      if (self.next == self.pieces.size()) return self.breaks_off ? OMNISTORE_UNAVAILABLE : OMNISTORE_OK;
      const std::string &piece = self.pieces[self.next++];
      *count = piece.copy(static_cast<char *>(buffer), piece.size());
      return OMNISTORE_OK;
    };
  }
};

struct Page : omnistore_page {
  struct Item {
    std::string key;
    std::optional<std::pair<std::uint64_t, std::int64_t>> meta; // size and expiry
  };
  std::vector<Item> items;
  std::string cursor;

  Page() : omnistore_page{sizeof(omnistore_page), 0, nullptr, nullptr} {
    emit = [](omnistore_page *page, omnistore_bytes key, const omnistore_meta *meta) {
      auto &all = static_cast<Page *>(page)->items;
      all.push_back({std::string(omnistore::as_view(key)), {}});
      if (meta) all.back().meta = {meta->value_size, meta->expiry};
      return OMNISTORE_OK;
    };
    next = [](omnistore_page *page, omnistore_bytes text) {
      static_cast<Page *>(page)->cursor = omnistore::as_view(text);
    };
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const Item &item : items) keys.push_back(item.key);
    return keys;
  }
};

/// How a set is done, where it is not the plain one.
struct How {
  std::int64_t expiry = 0;
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string_view etag = {};
};

using Keys = std::vector<std::string>;

/// The driver opened over a folder.
class Store {
public:
  omnistore_traits traits = *fs_driver().traits;

  /// `more`: further options, as JSON members behind a comma.
  explicit Store(Host &host, const std::string &base, std::string_view more = "") {
    const std::string options = "{\"base\": \"" + base + "\"" + std::string(more) + "}";
    omnistore_open_request request{};
    request.size = sizeof request;
    request.options = omnistore::as_bytes(options);
    Call call;
    if (const auto status = driver_.open(&host, &call, &request, &traits, &self_)) {
      throw std::runtime_error(std::to_string(status) + ": " + call.message);
    }
  }
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;
  ~Store() { driver_.close(self_); }

  omnistore_status set(std::string_view key, std::string_view value, How how = {}, omnistore_sink *result = nullptr) {
    omnistore_set_request request = request_of(how);
    request.value = omnistore::as_bytes(value);
    return set(key, request, result);
  }
  omnistore_status set(std::string_view key, Source &source, std::uint64_t size = OMNISTORE_UNKNOWN_SIZE) {
    omnistore_set_request request = request_of({});
    request.source = &source;
    request.source_size = size;
    return set(key, request, nullptr);
  }
  omnistore_status get(std::string_view key, Got &into, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) {
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, offset, length};
    return with_call([&](Call &call) { return driver_.get(self_, &call, omnistore::as_bytes(key), &request, &into); });
  }
  std::optional<std::string> get(std::string_view key) {
    Got got;
    return get(key, got) == OMNISTORE_OK ? std::optional(got.bytes) : std::nullopt;
  }
  omnistore_status stat(std::string_view key, Got &into) {
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
    return with_call([&](Call &call) { return driver_.stat(self_, &call, omnistore::as_bytes(key), &request, &into); });
  }
  std::string etag(std::string_view key) {
    Got got;
    stat(key, got);
    return got.etag;
  }
  omnistore_status remove(std::string_view key, std::uint32_t condition = OMNISTORE_ALWAYS,
                          std::string_view etag = "") {
    const omnistore_remove_request request{sizeof request, 0, condition, 0, omnistore::as_bytes(etag)};
    return with_call([&](Call &call) { return driver_.remove(self_, &call, omnistore::as_bytes(key), &request); });
  }
  omnistore_status touch(std::string_view key, std::int64_t expiry) {
    const omnistore_touch_request request{sizeof request, 0, expiry};
    return with_call([&](Call &call) { return driver_.touch(self_, &call, omnistore::as_bytes(key), &request); });
  }
  omnistore_status page(Page &into, std::string_view base, std::uint32_t limit, std::string_view cursor,
                        std::uint32_t depth = OMNISTORE_ANY_DEPTH, std::uint32_t flags = 0) {
    omnistore_list_request request{};
    request.size = sizeof request;
    request.flags = flags;
    request.base = omnistore::as_bytes(base);
    request.depth = depth;
    request.limit = limit;
    request.cursor = omnistore::as_bytes(cursor);
    return with_call([&](Call &call) { return driver_.list(self_, &call, &request, &into); });
  }
  /// All keys of a listing, page by page.
  Keys list(std::string_view base = "", std::uint32_t depth = OMNISTORE_ANY_DEPTH, std::uint32_t limit = 100) {
    Keys keys;
    std::string cursor;
    do {
      Page into;
      if (page(into, base, limit, cursor, depth) != OMNISTORE_OK) throw std::runtime_error("list: " + message());
      for (Page::Item &item : into.items) keys.push_back(std::move(item.key));
      cursor = into.cursor;
    } while (!cursor.empty());
    return keys;
  }
  omnistore_status clear(std::string_view base = "", Page *removed = nullptr) {
    const omnistore_clear_request request{sizeof request, 0, omnistore::as_bytes(base)};
    return with_call([&](Call &call) { return driver_.clear(self_, &call, &request, removed); });
  }

  void *self() const { return self_; }
  /// The message of the last failure; for tests of one thread.
  std::string message() const { return message_; }

private:
  static omnistore_set_request request_of(How how) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.expiry = how.expiry;
    request.condition = how.condition;
    request.etag = omnistore::as_bytes(how.etag);
    return request;
  }
  omnistore_status set(std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    return with_call([&](Call &call) { return driver_.set(self_, &call, omnistore::as_bytes(key), &request, result); });
  }
  template <class F>
  omnistore_status with_call(F run) {
    Call call;
    const omnistore_status status = run(call);
    if (!call.message.empty()) {
      const std::lock_guard guard(lock_);
      message_ = call.message;
    }
    return status;
  }

  const omnistore_driver &driver_ = fs_driver();
  void *self_ = nullptr;
  std::mutex lock_;
  std::string message_;
};

/// A folder, a host, and a store over it.
struct Fixture {
  Folder folder;
  Host host;
  Store store{host, folder.path().string()};

  std::string file(const std::string &path) const { return folder / path; }
  bool exists(const std::string &path) const {
    return std::filesystem::exists(std::filesystem::symlink_status(file(path)));
  }
  /// All names below the folder, the hidden ones too.
  Keys names() const {
    Keys names;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      names.push_back(std::filesystem::relative(entry.path(), folder.path()).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

} // namespace test
