// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <omnistore/storage.hpp>

namespace test {

/// A storage from a config's text, with the build's plugins and the tests'.
inline omnistore::Storage open(const std::string &mounts, const std::string &rest = "") {
  const std::string text = R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins", ")" OMNISTORE_BUILD
                           R"(/tests/plugins"] }, )" +
                           rest + R"( "mounts": )" + mounts + "}";
  return omnistore::Storage(
      omnistore::Config::parse(text, "test.jsonc", {}, [](const std::string &) { return std::nullopt; }));
}

/// Returns the status of the Error that a function throws; ok if it throws none.
template <typename Function>
omnistore::Status status_of(Function function, std::string *message = nullptr) {
  try {
    function();
    return omnistore::Status::ok;
  } catch (const omnistore::Error &error) {
    if (message) *message = error.what();
    return error.status();
  }
}

/// Collects events, and waits for them.
class Events {
public:
  auto callback() {
    return [this](const omnistore::Event &event) {
      std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    };
  }
  /// The events so far, once there are at least so many; fewer when they do not come.
  std::vector<omnistore::Event> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return events_.size() >= count; });
    return events_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<omnistore::Event> events_;
};

/// Takes a value when it is let go, and holds its store meanwhile.
class SlowReader : public omnistore::Reader {
public:
  void await_begin() { begun_.wait(false); }
  void let_go() {
    go_ = true;
    go_.notify_all();
  }
  std::string value;

  char *begin(const omnistore::Meta &) override {
    begun_ = true;
    begun_.notify_all();
    go_.wait(false);
    return nullptr;
  }
  void write(std::string_view bytes) override { value += bytes; }

private:
  std::atomic<bool> begun_{false}, go_{false};
};

} // namespace test
