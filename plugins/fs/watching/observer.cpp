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
constexpr std::uint32_t anchor_mask =
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

Observer::Observer(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own)
    : host_(host), tree_(tree), ignore_(ignore), own_(own) {}

void Observer::add(const WatchedBase &watching) {
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

void Observer::remove(const WatchedBase &watching) {
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
    report_open_files(max_open);
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
  report_lost({});
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
  report_lost({});
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
  const Clock::time_point due = retry_;
  forget();
  retry_ = due;
  inotify_ = std::make_unique<Inotify>();
  changes_ = tree_.changes();
  if (has_base()) {
    root_.watch = inotify_->add(tree_.base(), mask_of(wanted({})), {});
    by_watch_.emplace(root_.watch, &root_);
    scan(root_, tree_.open_real_folder(""), {false, {}});
  }
  anchor();
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
  std::vector<Anchor> before;
  do {
    before = anchors_;
    anchor();
  } while (anchors_ != before);
  struct stat old;
  const bool is_removed = retry(::fstat, tree_.base(), &old) == 0 && S_ISDIR(old.st_mode) && old.st_nlink == 0;
  const bool there = has_base();
  changes_ = tree_.changes();
  if (there) {
    stale_ = inotify_->add(tree_.base(), mask_of(wanted({})), {}) != root_.watch;
  } else if (root_.watch >= 0) {
    drop(root_);
    if (!is_removed) report_lost({}); // it was moved elsewhere, with its files
  }
}

/// Watches each folder on the way to the base, symbolic links included, for a change of the next step. If that is not
/// allowed, a change is noticed when the store is used the next time.
void Observer::anchor() {
  const std::vector<Anchor> before = std::exchange(anchors_, {});
  for (const auto &[path, name] : steps_of(tree_.path())) {
    const Fd folder(retry(::open, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder && !is_nothing(errno)) fail(errno, path);
    if (!folder) continue;
    try {
      anchors_.push_back({inotify_->add(folder.get(), anchor_mask, path), name});
    } catch (const omnistore::Failure &failure) {
      if (failure.status() != OMNISTORE_DENIED) throw;
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
  for (const WatchedBase *watching : watchings_) {
    if (is_at_or_below(path, watching->folder)) return Want::all;
    if (is_at_or_below(watching->folder, path)) want = Want::way;
  }
  return want;
}

bool Observer::is_wanted_key(std::string_view path) const {
  return std::any_of(watchings_.begin(), watchings_.end(), [&](const WatchedBase *watching) {
    return path.size() > watching->folder.size() && is_at_or_below(path, watching->folder);
  });
}

} // namespace fs
