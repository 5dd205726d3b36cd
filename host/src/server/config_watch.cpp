// SPDX-License-Identifier: Apache-2.0
#include "server/config_watch.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace omnistore::server {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto quiet = std::chrono::milliseconds(100);    // without a change, before it is told
constexpr auto longest = std::chrono::milliseconds(2000); // where it never gets quiet
constexpr std::uint32_t events =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_CREATE | IN_ONLYDIR;

std::int64_t nanoseconds(const timespec &time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

FileState state_of(const std::string &path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

} // namespace

FileStates states_of(const WatchedPaths &paths) {
  FileStates states;
  states[paths.config] = state_of(paths.config);
  for (const std::string &place : paths.plugins) {
    std::error_code failed;
    if (!fs::is_directory(place, failed)) states[place] = state_of(place);
    for (fs::directory_iterator at(place, failed), end; !failed && at != end; at.increment(failed))
      if (at->path().extension() == ".so") states[at->path()] = state_of(at->path());
  }
  return states;
}

class ConfigWatch::Impl {
public:
  Impl(FileStates read, std::function<WatchedPaths()> paths, std::function<void(std::string_view)> changed)
      : paths_(std::move(paths)), changed_(std::move(changed)), notify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), states_(std::move(read)) {
    if (notify_ < 0)
      spdlog::warn("config changes are not seen by themselves ({}); reload with SIGHUP or `omnistore reload`",
                   std::generic_category().message(errno));
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    stopping_.store(true);
    wake();
    thread_.join();
    if (notify_ >= 0) ::close(notify_);
    ::close(wake_);
  }

  void poke(std::string_view why) {
    {
      const std::lock_guard lock(mutex_);
      poked_ = why;
    }
    wake();
  }

private:
  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }

  std::string changed_text(const std::string &path) const {
    return path == config_ ? "the config file changed" : path + " changed";
  }

  /// Watches what there is to watch now, and remembers the states.
  void look() {
    const WatchedPaths paths = paths_();
    config_ = paths.config;
    watch_folder(fs::absolute(config_).parent_path());
    for (const std::string &place : paths.plugins) {
      std::error_code failed;
      watch_folder(fs::is_directory(place, failed) ? fs::path(place) : fs::path(place).parent_path());
    }
    states_ = states_of(paths);
  }

  void watch_folder(const fs::path &folder) {
    // A folder that is watched already keeps its watch; one whose path leads elsewhere now gets another.
    if (notify_ >= 0) ::inotify_add_watch(notify_, folder.c_str(), events);
  }

  /// What is another file, or another state of it, than when it was looked at last; empty: nothing.
  std::string difference() {
    const FileStates before = states_;
    look();
    const auto now = [&](const std::string &path) {
      const auto at = states_.find(path);
      return at == states_.end() ? FileState{} : at->second;
    };
    for (const auto &[path, state] : states_) {
      const auto old = before.find(path);
      if (old != before.end() && old->second == state) continue;
      return changed_text(path);
    }
    for (const auto &[path, state] : before)
      if (now(path) != state) return path + " is gone";
    return {};
  }

  void run() {
    // The host's first answers come before: nothing that changes meanwhile is missed.
    pollfd early{wake_, POLLIN, 0};
    ::poll(&early, 1, static_cast<int>(quiet.count()));
    if (stopping_.load()) return;
    if (const std::string what = difference(); !what.empty()) changed_(what);

    bool pending = false;
    Clock::time_point first, due;
    while (!stopping_.load()) {
      int wait = -1;
      if (pending)
        wait = static_cast<int>(
            std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count()));
      pollfd ends[] = {{wake_, POLLIN, 0}, {notify_, POLLIN, 0}};
      if (::poll(ends, notify_ >= 0 ? 2 : 1, wait) < 0 && errno != EINTR) return;
      const bool told = drain();
      const std::string poked = take_poke();
      if (stopping_.load()) return;
      if (!poked.empty()) {
        look(); // what is there now is what will be read
        pending = false;
        changed_(poked);
        continue;
      }
      const auto now = Clock::now();
      if (told) {
        if (!pending) first = now;
        pending = true;
        due = std::min(now + quiet, first + longest);
      }
      if (pending && now >= due) {
        pending = false;
        if (const std::string what = difference(); !what.empty()) changed_(what);
      }
    }
  }

  /// Whether anything may be another one than before. A plugin that is still being written may be read too early, and
  /// is refused then; its end is told too.
  bool drain() {
    bool told = false;
    alignas(inotify_event) char buffer[4096];
    while (notify_ >= 0 && ::read(notify_, buffer, sizeof buffer) > 0) told = true;
    std::uint64_t count = 0;
    while (::read(wake_, &count, sizeof count) > 0) {
    }
    return told;
  }

  std::string take_poke() {
    const std::lock_guard lock(mutex_);
    return std::exchange(poked_, {});
  }

  const std::function<WatchedPaths()> paths_;
  const std::function<void(std::string_view)> changed_;
  const int notify_, wake_;
  std::string config_;
  FileStates states_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::string poked_;
  std::thread thread_;
};

ConfigWatch::ConfigWatch(FileStates read, std::function<WatchedPaths()> paths,
                         std::function<void(std::string_view)> changed)
    : impl_(std::make_unique<Impl>(std::move(read), std::move(paths), std::move(changed))) {}
ConfigWatch::~ConfigWatch() = default;
void ConfigWatch::poke(std::string_view why) { impl_->poke(why); }

} // namespace omnistore::server
