// SPDX-License-Identifier: Apache-2.0
// A watch of a store, and its reports.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <set>

#include "driven.hpp"

namespace test {

/// Collects the reports: "+key" of an update, "-key" of a removal, "resync".
class Watch : public omnistore_watcher {
public:
  explicit Watch(Store &store, std::string_view base = "")
      : omnistore_watcher{sizeof(omnistore_watcher), 0, &event_}, store_(store) {
    const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes(base)};
    status = fs_driver().watch(store.self(), &call, &request, this, &watch_);
    running_ = status == OMNISTORE_OK;
  }
  ~Watch() { end(); }
  void end() {
    let_go();
    if (running_) fs_driver().unwatch(store_.self(), watch_);
    running_ = false;
  }

  Call call;
  omnistore_status status;

  /// Waits until a condition holds for all reports; returns true if it does.
  bool wait(const std::function<bool(const Keys &)> &holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return holds(told_); });
  }
  bool wait_for(const std::string &text) {
    return wait([&](const Keys &told) { return std::find(told.begin(), told.end(), text) != told.end(); });
  }
  /// Waits for an event, and takes out the reports before it.
  Keys until(const std::string &text) {
    const bool came = wait_for(text);
    INFO("waiting for " << text);
    CHECK(came);
    const std::lock_guard lock(mutex_);
    const auto end = std::find(told_.begin(), told_.end(), text);
    Keys before(told_.begin(), end);
    told_.erase(told_.begin(), end == told_.end() ? end : end + 1);
    return before;
  }
  /// Stops the thread that reports at the next event, until it is let go; what it holds then is the place of one key.
  void hold() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
  }
  bool wait_held() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return is_held_; });
  }
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      holds_ = false;
    }
    changed_.notify_all();
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return told_.size();
  }

private:
  static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event) {
    Watch &self = *static_cast<Watch *>(watcher);
    std::string text = event->type == OMNISTORE_EVENT_UPDATE ? "+" : event->type == OMNISTORE_EVENT_REMOVE ? "-" : "";
    text += event->type == OMNISTORE_EVENT_RESYNC ? "resync" : omnistore::as_view(event->key);
    if (event->type == OMNISTORE_EVENT_REMOVE && event->cause != OMNISTORE_CAUSE_REMOVED) text += " for another cause";
    std::unique_lock lock(self.mutex_);
    self.told_.push_back(std::move(text));
    self.is_held_ = self.holds_;
    self.changed_.notify_all();
    self.changed_.wait(lock, [&] { return !self.holds_; });
    self.is_held_ = false;
  }

  Store &store_;
  void *watch_ = nullptr;
  bool running_ = false, holds_ = false, is_held_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  Keys told_;
};

inline Keys sorted(Keys keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// Removes repetitions: a file that is met while it is being written is reported again when it is closed.
inline Keys unique(Keys keys) {
  keys = sorted(std::move(keys));
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

/// A store over a folder, and a watch of it. Another program's changes are made by the files' names.
struct Watched : Fixture {
  Watch watch;
  explicit Watched(std::string_view base = "") : watch(store, base) { REQUIRE(watch.status == OMNISTORE_OK); }

  void write(const std::string &path, std::string_view bytes = "v") const { write_file(file(path), bytes); }
  void move(const std::string &from, const std::string &to) const { std::filesystem::rename(file(from), file(to)); }
  void remove(const std::string &path) const { std::filesystem::remove_all(file(path)); }
  /// Holds the thread that reports, so that the disk gets ahead of it.
  void hold() {
    watch.hold();
    write("held");
    REQUIRE(watch.wait_held());
  }
  /// Returns the reports of changes that were made before this call.
  Keys told() {
    const std::string last = "last" + std::to_string(++asked_);
    write(last);
    return watch.until("+" + last);
  }

private:
  int asked_ = 0;
};

} // namespace test
