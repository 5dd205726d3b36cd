// SPDX-License-Identifier: Apache-2.0
// The built fs plugin, opened by its C table over a host whose clock stands still and whose tasks wait until the test
// runs them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "support/driven.hpp"
#include "support/temporary.hpp"

namespace test {

inline const omnistore_driver &fs_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/fs.so");
  return library.driver();
}

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
    submit = [](const omnistore_host *host, omnistore_task task, void *argument, std::uint64_t delay, std::uint32_t) {
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

/// The driver opened over a folder.
class Store : public Driven {
public:
  /// `more`: further options, as JSON members behind a comma.
  Store(Host &host, const std::string &base, std::string_view more = "") : Driven(fs_driver()) {
    open(host, "{" + option("base", base) + std::string(more) + "}");
  }
};

/// All names below a folder, the hidden ones too.
inline Keys names_in(const std::filesystem::path &folder) {
  Keys names;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(std::filesystem::relative(entry.path(), folder).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder, a host, and a store over it.
struct Fixture {
  Folder folder;
  Host host;
  Store store{host, folder.path().string()};

  std::string file(const std::string &path) const { return folder / path; }
  bool exists(const std::string &path) const {
    return std::filesystem::exists(std::filesystem::symlink_status(file(path)));
  }
  Keys names() const { return names_in(folder.path()); }
};

} // namespace test
