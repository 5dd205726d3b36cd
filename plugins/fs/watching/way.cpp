// SPDX-License-Identifier: Apache-2.0
#include "watching/way.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <omnistore/call.hpp>

#include "tree/retry.hpp"
#include "watching/reporter.hpp"

namespace fs {
namespace {

constexpr std::uint32_t step_mask =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/// Returns the steps of an absolute path, as far as they exist: the path of each folder, without symbolic links, and
/// the next name in it.
std::vector<std::pair<std::string, std::string>> steps_of(const std::string &path) {
  constexpr int max_links = 40;
  std::vector<std::pair<std::string, std::string>> steps;
  std::string folder = "/", left = path;
  for (int links = 0; !left.empty() && links < max_links;) {
    const std::size_t slash = left.find('/');
    const std::string name = left.substr(0, slash);
    left.erase(0, slash == left.npos ? slash : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      folder.resize(std::max<std::size_t>(folder.rfind('/'), 1));
      continue;
    }
    steps.emplace_back(folder, name);
    const std::string next = folder.size() == 1 ? folder + name : folder + '/' + name;
    char target[4096];
    const ssize_t size = readlink(next.c_str(), target, sizeof target);
    if (size < 0 && errno != EINVAL) break; // the path ends here
    if (size < 0) {
      folder = next;
      continue;
    }
    ++links;
    left = std::string(target, static_cast<std::size_t>(size)) + '/' + left;
    if (left[0] == '/') folder = "/";
  }
  return steps;
}

} // namespace

bool Way::find(Inotify &inotify) {
  const std::vector<Step> before = std::exchange(steps_, {});
  for (const auto &[path, name] : steps_of(base_)) {
    const Fd folder(retry(::open, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder && !is_nothing(errno)) fail(errno, path);
    if (!folder) continue;
    try {
      steps_.push_back({inotify.add(folder.get(), step_mask, path), name});
    } catch (const omnistore::Failure &failure) {
      if (failure.status() != OMNISTORE_DENIED) throw;
    }
  }
  for (const Step &old : before) {
    const auto has = [&](const Step &step) { return step.watch == old.watch; };
    if (old.watch >= 0 && std::none_of(steps_.begin(), steps_.end(), has)) inotify.remove(old.watch);
  }
  return steps_ != before;
}

Way::News Way::take(const Notification &notification) {
  const std::uint32_t mask = notification.mask;
  News news;
  for (Step &step : steps_) {
    if (notification.watch != step.watch) continue;
    news.is_step = true;
    news.concerns_base |= (mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) || notification.name == step.name;
    if (mask & IN_IGNORED) step.watch = -1;
  }
  return news;
}

} // namespace fs
