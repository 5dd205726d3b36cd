// SPDX-License-Identifier: Apache-2.0
#include "watching/observer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <omnistore/call.hpp>

#include "tree/retry.hpp"

namespace fs {

namespace {

constexpr std::chrono::seconds retry_after(30);

} // namespace

Observer::Observer(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own)
    : host_(host), tree_(tree), ignore_(ignore), reporter_(tree, ignore, own), way_(tree.path()) {}

void Observer::add(const WatchedBase &watching) {
  reporter_.add(watching);
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

void Observer::remove(const WatchedBase &watching) {
  reporter_.remove(watching);
  if (reporter_.has_watches())
    drop_unwanted(root_);
  else
    forget();
}

int Observer::timeout() const {
  if (stale_) return 0;
  Clock::time_point first = Clock::time_point::max();
  if (retry_ != Clock::time_point()) first = retry_;
  if (const auto due = open_files_.next()) first = std::min(first, *due);
  if (first == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count();
  return static_cast<int>(std::max<decltype(left)>(left, 0));
}

void Observer::work() noexcept {
  if (!reporter_.has_watches()) return;
  try {
    if (changes_ != tree_.changes() && !stale_) find_base();
  } catch (const std::exception &error) {
    lose_track(error.what());
  }
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
    report_open_files();
  } catch (const std::exception &error) {
    lose_track(error.what());
  }
}

/// The watches miss changes from now on, until all folders were scanned again.
void Observer::lose_track(const char *why) noexcept {
  const bool first = retry_ == Clock::time_point();
  retry_ = Clock::now() + retry_after;
  if (!first) return;
  omnistore::log_line(host_, OMNISTORE_LOG_WARN, why);
  reporter_.report_lost({});
}

/// Scans all folders again, and reports that changes may have been missed.
void Observer::rebuild() {
  stale_ = false;
  const bool was_lost = retry_ != Clock::time_point();
  try {
    begin();
    retry_ = {};
  } catch (const std::exception &error) {
    lose_track(error.what());
    if (!was_lost) return; // that was reported
  }
  reporter_.report_lost({});
}

void Observer::forget() {
  inotify_.reset();
  by_watch_.clear();
  root_ = Folder();
  way_.forget();
  freed_.clear();
  open_files_.forget();
  stale_ = false;
  retry_ = {};
}

void Observer::begin() {
  const Clock::time_point due = retry_;
  forget();
  retry_ = due;
  inotify_ = std::make_unique<Inotify>();
  changes_ = tree_.changes();
  if (has_base()) {
    root_.watch = inotify_->add(tree_.base(), mask_of(reporter_.wanted({})), {});
    by_watch_.emplace(root_.watch, &root_);
    scan(root_, tree_.open_real_folder(""), {false, {}});
  }
  way_.find(*inotify_);
  find_base();
}

bool Observer::has_base() {
  try {
    return tree_.look(false);
  } catch (const SystemFailure &failure) {
    if (!is_nothing(failure.error())) throw;
    return false; // there is something that is no folder
  }
}

/// Finds out if the path of the base leads to another folder now, or to none.
void Observer::find_base() {
  while (way_.find(*inotify_)) continue; // it may change while it is watched
  struct stat old;
  const bool is_removed = retry(::fstat, tree_.base(), &old) == 0 && S_ISDIR(old.st_mode) && old.st_nlink == 0;
  const bool there = has_base();
  changes_ = tree_.changes();
  if (there) {
    stale_ = inotify_->add(tree_.base(), mask_of(reporter_.wanted({})), {}) != root_.watch;
  } else if (root_.watch >= 0) {
    drop(root_);
    if (!is_removed) reporter_.report_lost({}); // it was moved elsewhere, with its files
  }
}

std::uint32_t Observer::mask_of(Want want) {
  constexpr std::uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR;
  return want == Want::all ? names | IN_MODIFY | IN_CLOSE_WRITE : names;
}

} // namespace fs
