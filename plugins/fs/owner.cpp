// SPDX-License-Identifier: Apache-2.0
#include "owner.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>
#include <iterator>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "again.hpp"
#include "entries.hpp"
#include "slot.hpp"

namespace fs {

namespace {

constexpr std::size_t id_digits = 16;

std::string hexadecimal(std::uint64_t number) {
  char text[id_digits];
  char *const end = std::to_chars(text, std::end(text), number, 16).ptr;
  return std::string(text, end);
}

/// Of an owner's file, and the id that a temporary's name begins with: all of one length.
std::string file_name(std::string_view id) { return std::string(id) + '$'; }
std::string id_text(std::uint64_t id) {
  const std::string digits = hexadecimal(id);
  return std::string(id_digits - digits.size(), '0') + digits;
}

/// The id in a temporary's name, `.ID-NUMBER.omnistore-tmp$`; empty where it has none.
std::string_view id_in(std::string_view temporary) {
  return temporary.size() > id_digits + 1 && temporary[id_digits + 1] == '-' ? temporary.substr(1, id_digits)
                                                                             : std::string_view();
}

/// Opens an owner's file and takes its lock. No descriptor: there is none, or its owner is at work.
Fd lock_of_dead(int folder, const std::string &name) {
  // For writing: some network filesystems give an exclusive lock for nothing less.
  Fd file(again(::openat, folder, name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file && again(::flock, file.get(), LOCK_EX | LOCK_NB) != 0) file = Fd();
  return file;
}

} // namespace

Owner::Owner(const Tree &tree, mode_t folder_mode) : tree_(tree), folder_mode_(folder_mode) {}

Owner::~Owner() { give_up(); }

std::string Owner::temporary_name() {
  if (taken_at_.load(std::memory_order_acquire) != tree_.changes()) take();
  // Different from one call to the next on this clock; O_EXCL finds out where it is not.
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const auto number = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
  const std::uint64_t id = id_.load(std::memory_order_relaxed);
  std::string name = ".";
  if (id != 0) name.append(id_text(id)) += '-';
  return name.append(hexadecimal(number)).append(temporary_end);
}

void Owner::take() {
  const std::lock_guard lock(mutex_);
  const std::uint64_t changes = tree_.changes();
  if (taken_at_.load(std::memory_order_relaxed) == changes) return;
  give_up();
  constexpr int most_attempts = 10; // others may remove the folder, having been its last user
  for (int tries = 0; tries < most_attempts && !file_; ++tries) {
    std::uint64_t id = 0;
    if (getrandom(&id, sizeof id, 0) != sizeof id || id == 0) continue;
    const bool made = again(::mkdirat, tree_.base(), owners_folder, folder_mode_) == 0;
    folder_ = tree_.open_real_folder(owners_folder);
    if (made && folder_) set_mode_of_folder(folder_.get(), folder_mode_);
    if (folder_ && make(id))
      id_.store(id, std::memory_order_relaxed);
    else if (made)
      again(::unlinkat, tree_.base(), owners_folder, AT_REMOVEDIR);
  }
  taken_at_.store(changes, std::memory_order_release);
}

/// A store that opens base at this moment may take the new file for a dead owner's, lock it and remove it.
bool Owner::make(std::uint64_t id) {
  const std::string name = file_name(id_text(id));
  Fd file(again(::openat, folder_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return false;
  struct stat status;
  if (again(::flock, file.get(), LOCK_EX | LOCK_NB) == 0 && again(::fstat, file.get(), &status) == 0 &&
      status.st_nlink == 1) {
    file_ = std::move(file);
    return true;
  }
  again(::unlinkat, folder_.get(), name.c_str(), 0);
  return false;
}

void Owner::give_up() {
  const std::uint64_t id = id_.exchange(0, std::memory_order_relaxed);
  if (id != 0) {
    again(::unlinkat, folder_.get(), file_name(id_text(id)).c_str(), 0);
    const Fd above(
        again(::openat, folder_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC)); // base may be another by now
    if (above) again(::unlinkat, above.get(), owners_folder, AT_REMOVEDIR);      // fails while others have files in it
  }
  folder_ = Fd();
  file_ = Fd();
}

bool has_owner_at_work(const Tree &tree, std::string_view temporary) {
  const std::string_view id = id_in(temporary);
  if (id.empty()) return false;
  const Fd folder = tree.open_real_folder(owners_folder);
  const std::string name = file_name(id);
  struct stat status;
  return folder && again(::fstatat, folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         !lock_of_dead(folder.get(), name);
}

void Leftovers::find() {
  changes_ = tree_.changes();
  const Fd folder = tree_.open_real_folder(owners_folder);
  if (!folder) return;
  const auto take = [&](const char *name, unsigned char) {
    if (std::strlen(name) != id_digits + 1 || name[id_digits] != '$') return;
    if (Fd file = lock_of_dead(folder.get(), name)) dead_.push_back({name, std::move(file)});
  };
  try {
    read_entries(folder.get(), owners_folder, take, [] {});
  } catch (const omnistore::Failure &) { // no reason not to open the store
  }
  if (!dead_.empty()) folders_.emplace_back();
}

bool Leftovers::work(const std::function<bool()> &may_go_on) {
  if (tree_.changes() != changes_) folders_.clear(), dead_.clear(); // the next start over that folder finds them
  if (dead_.empty()) return false;
  while (!folders_.empty()) {
    if (!may_go_on()) return true;
    const std::string path = std::move(folders_.back());
    folders_.pop_back();
    look_into(path);
  }
  if (const Fd folder = tree_.open_real_folder(owners_folder)) {
    for (const Dead &dead : dead_) again(::unlinkat, folder.get(), dead.name.c_str(), 0);
    again(::unlinkat, tree_.base(), owners_folder, AT_REMOVEDIR);
  }
  dead_.clear();
  return false;
}

bool Leftovers::is_left(std::string_view name) const {
  const std::string_view id = id_in(name);
  return !id.empty() &&
         std::any_of(dead_.begin(), dead_.end(), [&](const Dead &dead) { return dead.name == file_name(id); });
}

void Leftovers::look_into(const std::string &path) {
  const Fd folder = tree_.open_real_folder(path);
  if (!folder) return;
  std::vector<std::string> left;
  const auto take = [&](const char *raw, unsigned char type) {
    const std::string_view name(raw);
    if (name == "." || name == "..") return;
    if (is_temporary(name)) {
      if (is_left(name)) left.emplace_back(name);
    } else if (type_of(folder.get(), raw, type) == DT_DIR) {
      folders_.push_back(path.empty() ? std::string(name) : path + '/' + raw);
    }
  };
  try {
    read_entries(folder.get(), path, take, [] {});
  } catch (const omnistore::Failure &) {
    return; // what cannot be read is left out, as by listings
  }
  for (const std::string &name : left) remove_temporary(folder.get(), name);
  // A folder that was made for a set that never came goes too.
  for (std::string_view empty = left.empty() ? std::string_view() : path; !empty.empty();) {
    const std::size_t slash = empty.rfind('/');
    const std::string name(empty.substr(slash == empty.npos ? 0 : slash + 1));
    empty = slash == empty.npos ? std::string_view() : empty.substr(0, slash);
    const Fd above = tree_.open_real_folder(empty);
    if (!above || again(::unlinkat, above.get(), name.c_str(), AT_REMOVEDIR) != 0) break;
  }
}

} // namespace fs
