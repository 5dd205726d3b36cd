// SPDX-License-Identifier: Apache-2.0
#include "observer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <omnistore/call.hpp>

namespace fs {

namespace {

constexpr std::chrono::seconds retry_after(30);
constexpr std::uint32_t anchor_mask = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR;

/// Where an open folder lies.
std::string real_path(int folder) {
  char path[4096];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(folder)).c_str(), path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

} // namespace

Observer::Observer(const omnistore_host &host, const Tree &tree, const Ignore &ignore, Own &own)
    : host_(host), tree_(tree), ignore_(ignore), own_(own) {}

void Observer::add(const Watching &watching) {
  watchings_.push_back(&watching);
  try {
    if (!inotify_)
      begin();
    else if (root_.watch >= 0 && !root_.whole)
      scan(root_, tree_.open_real_folder(""), {false, {}});
  } catch (...) {
    remove(watching);
    throw;
  }
}

void Observer::remove(const Watching &watching) {
  std::erase(watchings_, &watching);
  if (watchings_.empty())
    forget();
  else
    drop_unwanted(root_);
}

int Observer::timeout() const {
  if (stale_) return 0;
  Clock::time_point first = Clock::time_point::max();
  if (retry_ != Clock::time_point()) first = retry_;
  if (!open_order_.empty()) first = std::min(first, open_order_.front().first);
  if (first == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count();
  return static_cast<int>(std::max<decltype(left)>(left, 0));
}

void Observer::work() noexcept {
  if (watchings_.empty()) return;
  if (retry_ != Clock::time_point() && Clock::now() >= retry_) stale_ = true;
  if (inotify_ && !stale_) {
    inotify_->read([this](const Notification &notification) {
      try {
        take(notification);
      } catch (const std::exception &error) {
        lose_track(error.what());
      }
      return !stale_;
    });
  }
  try {
    if (stale_) rebuild();
    visit_freed();
    tell_open(most_open);
  } catch (const std::exception &error) {
    lose_track(error.what());
  }
}

/// What the watches are told from now on is not all, until the folders were gone through anew.
void Observer::lose_track(const char *why) noexcept {
  const bool first = retry_ == Clock::time_point();
  retry_ = Clock::now() + retry_after;
  if (!first) return;
  omnistore::log_line(host_, OMNISTORE_LOG_WARN, why);
  tell_lost({});
}

/// Goes through the folders anew, and says that something may have been missed.
void Observer::rebuild() {
  stale_ = false;
  const bool was_lost = retry_ != Clock::time_point();
  try {
    begin();
    retry_ = {};
  } catch (const std::exception &error) {
    lose_track(error.what());
    if (!was_lost) return; // that was told
  }
  tell_lost({});
}

void Observer::forget() {
  inotify_.reset();
  by_watch_.clear();
  root_ = Folder();
  anchors_.clear();
  freed_.clear();
  open_.clear();
  open_order_.clear();
  stale_ = false;
  retry_ = {};
}

void Observer::begin() {
  const Clock::time_point retry = retry_;
  forget();
  retry_ = retry;
  inotify_ = std::make_unique<Inotify>();
  if (tree_.is_alive()) {
    base_path_ = real_path(tree_.base());
    root_.watch = inotify_->add(tree_.base(), mask_of(wanted({})), {});
    by_watch_.emplace(root_.watch, &root_);
    scan(root_, tree_.open_real_folder(""), {false, {}});
  }
  anchor();
  find_base();
}

/// Where base is another folder than the one that is watched: it was removed and made again.
void Observer::find_base() {
  std::vector<Anchor> before;
  do {
    before = anchors_;
    bool there = tree_.is_alive();
    try {
      there = there || tree_.revive(false);
    } catch (const omnistore::Failure &) {
      // What lies there now is no folder of ours.
    }
    if (there) {
      stale_ = inotify_->add(tree_.base(), mask_of(wanted({})), {}) != root_.watch;
      return;
    }
    anchor();
  } while (anchors_ != before);
}

/// Watches the nearest folder above base that there is; where base is gone, the one above that too, in which that one
/// would go. (A folder that is removed while one that was in it is held open, as base is, does not tell so itself.)
/// They lie outside, and only the next name on the way is looked for. Where that is not allowed, a base that others
/// make again is met when the store is next used.
void Observer::anchor() {
  const std::vector<Anchor> before = std::exchange(anchors_, {});
  const std::size_t wanted_anchors = tree_.is_alive() ? 1 : 2;
  std::string path = base_path_;
  while (path.size() > 1 && anchors_.size() < wanted_anchors) {
    const std::size_t slash = path.rfind('/');
    const std::string name = path.substr(slash + 1);
    path.resize(std::max<std::size_t>(slash, 1));
    const Fd above(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!above) continue;
    try {
      anchors_.push_back({inotify_->add(above.get(), anchor_mask, path), name});
    } catch (const omnistore::Failure &failure) {
      if (failure.status() != OMNISTORE_DENIED) throw;
      return;
    }
  }
  for (const Anchor &old : before) {
    const auto has = [&](const Anchor &anchor) { return anchor.watch == old.watch; };
    if (old.watch >= 0 && std::none_of(anchors_.begin(), anchors_.end(), has)) inotify_->remove(old.watch);
  }
}

std::uint32_t Observer::mask_of(Want want) {
  constexpr std::uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR;
  return want == Want::all ? names | IN_MODIFY | IN_CLOSE_WRITE : names;
}

Observer::Want Observer::wanted(std::string_view path) const {
  Want want = Want::none;
  for (const Watching *watching : watchings_) {
    if (is_at_or_below(path, watching->folder)) return Want::all;
    if (is_at_or_below(watching->folder, path)) want = Want::way;
  }
  return want;
}

bool Observer::is_wanted_key(std::string_view path) const {
  return std::any_of(watchings_.begin(), watchings_.end(), [&](const Watching *watching) {
    return path.size() > watching->folder.size() && is_at_or_below(path, watching->folder);
  });
}

} // namespace fs
