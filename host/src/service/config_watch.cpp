// SPDX-License-Identifier: Apache-2.0
#include "service/config_watch.hpp"

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
#include <sys/stat.h>
#include <unistd.h>

#include "service/file_events.hpp"

namespace omnistore::service {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto quiet = std::chrono::milliseconds(100);    // without a change, before a change is reported
constexpr auto longest = std::chrono::milliseconds(2000); // if it never gets quiet
constexpr auto every = std::chrono::seconds(2);           // between two looks if not everything can be watched

std::int64_t nanoseconds(const timespec &time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

/// Returns true if the error means that nothing lies at the path, or nothing that this host may read. Any other error
/// may be gone at the next look.
bool says_none(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM || error == ELOOP ||
         error == ENAMETOOLONG;
}

/// If the file cannot be read for the moment, its state is the one from before.
FileState state_of(const std::string &path, const FileStates &before) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0)
    return {info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
  const auto known = before.find(path);
  return says_none(errno) || known == before.end() ? FileState() : known->second;
}

} // namespace

FileStates states_of(const WatchedPaths &paths, const FileStates &before) {
  FileStates states;
  if (!paths.config.empty()) states[paths.config] = state_of(paths.config, before);
  for (const std::string &file : paths.secrets) states[file] = state_of(file, before);
  for (const std::string &place : paths.plugins) {
    std::error_code failed;
    fs::directory_iterator at(place, failed), end;
    if (failed == std::errc::not_a_directory || failed == std::errc::no_such_file_or_directory)
      states[place] = state_of(place, before);
    for (; !failed && at != end; at.increment(failed))
      if (at->path().extension() == ".so") states[at->path()] = state_of(at->path(), before);
    if (!failed || says_none(failed.value())) continue;
    // The folder cannot be read to its end for the moment: its plugins are those that were there.
    for (const auto &[path, state] : before)
      if (fs::path(path).parent_path() == fs::path(place)) states.try_emplace(path, state);
  }
  return states;
}

class ConfigWatch::Impl {
public:
  Impl(FileStates read, std::function<WatchedPaths()> paths, std::function<void(std::string_view)> changed)
      : paths_(std::move(paths)), changed_(std::move(changed)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        states_(std::move(read)) {
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    stopping_.store(true);
    wake();
    thread_.join();
    ::close(wake_);
  }

  void poke(std::string_view why) {
    {
      const std::lock_guard lock(mutex_);
      poked_ = why;
    }
    wake();
  }

  void refresh() {
    refresh_.store(true);
    wake();
  }

private:
  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }

  std::string changed_text(const std::string &path, const FileState &state) const {
    return (path == config_ ? "the config file" : path) + (state == FileState() ? " is gone" : " changed");
  }

  /// Watches the paths of now, and remembers the states.
  void look() {
    const WatchedPaths paths = paths_();
    config_ = paths.config;
    events_.begin();
    if (!config_.empty()) events_.watch_file(config_);
    for (const std::string &file : paths.secrets) events_.watch_file(file);
    for (const std::string &place : paths.plugins) events_.watch_folder(place, ".so");
    events_.finish();
    states_ = states_of(paths, states_);
    if (events_.trouble() == trouble_) return;
    trouble_ = events_.trouble();
    if (trouble_.empty())
      spdlog::info("changes of the config are seen at once again");
    else
      spdlog::warn(
          "the config and the plugins are looked at every {} seconds, since {}; `omnistore reload` then starts "
          "the watch again",
          every.count(), trouble_);
  }

  /// Returns the first difference since the last look: another file, or another state of one. Empty if there is none.
  std::string difference() {
    const FileStates before = states_;
    look();
    for (const auto &[path, state] : states_) {
      const auto old = before.find(path);
      if (old == before.end() ? state != FileState() : old->second != state) return changed_text(path, state);
    }
    for (const auto &[path, state] : before)
      if (!states_.contains(path) && state != FileState()) return changed_text(path, {});
    return {};
  }

  void report_difference() {
    if (const std::string what = difference(); !what.empty()) changed_(what);
  }

  /// Returns how long to wait if nothing happens; negative means for ever.
  int patience(bool pending, Clock::time_point due) const {
    using std::chrono::milliseconds;
    if (pending)
      return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(due - Clock::now()).count()));
    return trouble_.empty() ? -1 : static_cast<int>(milliseconds(every).count());
  }

  void run() {
    // The host serves its first requests before: no change in the meantime is missed.
    pollfd early{wake_, POLLIN, 0};
    ::poll(&early, 1, static_cast<int>(quiet.count()));
    if (stopping_.load()) return;
    report_difference();

    bool pending = false;
    Clock::time_point first, due;
    while (!stopping_.load()) {
      pollfd ends[] = {{wake_, POLLIN, 0}, {events_.descriptor(), POLLIN, 0}};
      const int ready = ::poll(ends, 2, patience(pending, due)); // a negative descriptor is passed over
      if (ready < 0 && errno != EINTR) return;
      const bool happened = events_.drain();
      drain_wake();
      const std::string poked = take_poke();
      if (stopping_.load()) return;
      if (!poked.empty()) {
        look(); // the reload reads at least this state
        pending = false;
        changed_(poked);
        continue;
      }
      const auto now = Clock::now();
      if (happened || refresh_.exchange(false)) {
        if (!pending) first = now;
        pending = true;
        due = std::min(now + quiet, first + longest);
      }
      // A plugin that is still being written may be read too early and is refused then; the end of the write is another
      // change.
      if (pending ? now >= due : ready == 0) {
        pending = false;
        report_difference();
      }
    }
  }

  void drain_wake() {
    std::uint64_t count = 0;
    while (::read(wake_, &count, sizeof count) > 0) {
    }
  }

  std::string take_poke() {
    const std::lock_guard lock(mutex_);
    return std::exchange(poked_, {});
  }

  const std::function<WatchedPaths()> paths_;
  const std::function<void(std::string_view)> changed_;
  const int wake_;
  FileEvents events_;
  std::string trouble_; ///< the text that was logged last
  std::string config_;
  FileStates states_;
  std::atomic<bool> stopping_{false}, refresh_{false};
  std::mutex mutex_;
  std::string poked_;
  std::thread thread_;
};

ConfigWatch::ConfigWatch(FileStates read, std::function<WatchedPaths()> paths,
                         std::function<void(std::string_view)> changed)
    : impl_(std::make_unique<Impl>(std::move(read), std::move(paths), std::move(changed))) {}
ConfigWatch::~ConfigWatch() = default;
void ConfigWatch::poke(std::string_view why) { impl_->poke(why); }
void ConfigWatch::refresh() { impl_->refresh(); }

} // namespace omnistore::service
