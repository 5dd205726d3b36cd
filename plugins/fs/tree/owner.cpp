// SPDX-License-Identifier: Apache-2.0
#include "tree/owner.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <iterator>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree/entries.hpp"
#include "tree/retry.hpp"
#include "tree/slot.hpp"

namespace fs {

namespace {

constexpr std::size_t id_digits = 16;

std::string hexadecimal(std::uint64_t number) {
  char text[id_digits];
  char *const end = std::to_chars(text, std::end(text), number, 16).ptr;
  return std::string(text, end);
}

std::string id_text(std::uint64_t id) {
  const std::string digits = hexadecimal(id);
  return std::string(id_digits - digits.size(), '0') + digits;
}

constexpr std::string_view mark_start = "user.omnistore.store.";
std::string mark_of(std::string_view id) { return std::string(mark_start).append(id); }

/// Returns the ID in the name of a temporary file, `.ID-NUMBER.omnistore-tmp$`; empty if it has none.
std::string_view id_in(std::string_view temporary) {
  return temporary.size() > id_digits + 1 && temporary[id_digits + 1] == '-' ? temporary.substr(1, id_digits)
                                                                             : std::string_view();
}

/// Opens the base folder once more: a lock belongs to a descriptor.
Fd open_own(const Tree &tree) { return Fd(retry(::openat, tree.base(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

/// Returns true if no store holds the lock of the base folder.
bool is_unlocked(int folder) {
  if (retry(::flock, folder, LOCK_EX | LOCK_NB) != 0) return false;
  retry(::flock, folder, LOCK_UN);
  return true;
}

} // namespace

std::string Owner::temporary_name() {
  if (marked_at_.load(std::memory_order_acquire) != tree_.changes()) take();
  // The clock nearly always differs from one call to the next. If it does not, O_EXCL makes the open fail.
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
  if (marked_at_.load(std::memory_order_relaxed) == changes) return;
  release();
  std::uint64_t id = 0;
  if (getrandom(&id, sizeof id, 0) != sizeof id) id = 0;
  folder_ = open_own(tree_);
  // The lock comes before the mark: a mark without a lock belongs to a store that no longer exists.
  if (id != 0 && folder_ && retry(::flock, folder_.get(), LOCK_SH | LOCK_NB) == 0 &&
      retry(::fsetxattr, folder_.get(), mark_of(id_text(id)).c_str(), "1", 1, 0) == 0) {
    id_.store(id, std::memory_order_relaxed);
  }
  marked_at_.store(changes, std::memory_order_release);
}

void Owner::release() {
  const std::uint64_t id = id_.exchange(0, std::memory_order_relaxed);
  if (id != 0) retry(::fremovexattr, folder_.get(), mark_of(id_text(id)).c_str());
  folder_ = Fd();
}

bool is_owner_alive(const Tree &tree, std::string_view temporary) {
  const std::string_view id = id_in(temporary);
  if (id.empty()) return false;
  const Fd folder = open_own(tree);
  if (!folder) return true; // that is not known now
  char value[8];
  if (retry(::fgetxattr, folder.get(), mark_of(id).c_str(), value, sizeof value) < 0 && errno != ERANGE)
    return errno != ENODATA && errno != EOPNOTSUPP;
  return !is_unlocked(folder.get());
}

void Leftovers::find() {
  changes_ = tree_.changes();
  char names[64 * 1024];
  const ssize_t size = retry(::flistxattr, tree_.base(), names, sizeof names);
  for (std::string_view left(names, size > 0 ? static_cast<std::size_t>(size) : 0); !left.empty();) {
    const std::string_view name = left.substr(0, left.find('\0'));
    left.remove_prefix(std::min(name.size() + 1, left.size()));
    if (name.starts_with(mark_start)) dead_ids_.emplace_back(name.substr(mark_start.size()));
  }
  if (dead_ids_.empty()) return;
  // These marks were read before the lock was found free, so their stores no longer exist.
  const Fd folder = open_own(tree_);
  if (folder && is_unlocked(folder.get()))
    folders_.emplace_back();
  else
    dead_ids_.clear();
}

bool Leftovers::work(const std::function<bool()> &may_go_on) {
  if (tree_.changes() != changes_) folders_.clear(), dead_ids_.clear(); // the next start on that folder finds them
  if (dead_ids_.empty()) return false;
  while (!folders_.empty()) {
    if (!may_go_on()) return true;
    const std::string path = std::move(folders_.back());
    folders_.pop_back();
    look_into(path);
  }
  // Without the marks no later start would look for files in a folder that could not be read now.
  if (!missed_)
    for (const std::string &id : dead_ids_) retry(::fremovexattr, tree_.base(), mark_of(id).c_str());
  dead_ids_.clear();
  return false;
}

bool Leftovers::is_left(std::string_view name) const {
  const std::string_view id = id_in(name);
  return !id.empty() && std::find(dead_ids_.begin(), dead_ids_.end(), id) != dead_ids_.end();
}

void Leftovers::look_into(const std::string &path) {
  const Fd folder = tree_.open_real_folder(path);
  if (!folder) {
    missed_ |= !is_gone(errno) && !is_unreadable(errno);
    return;
  }
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
  } catch (const SystemFailure &failure) {
    missed_ |= !is_unreadable(failure.error()); // a folder that cannot be read is left out, as in listings
    return;
  }
  for (const std::string &name : left) remove_temporary(folder.get(), name);
  // A folder that was made for an unfinished set is removed too.
  for (std::string_view empty = left.empty() ? std::string_view() : path; !empty.empty();) {
    const std::size_t slash = empty.rfind('/');
    const std::string name(empty.substr(slash == empty.npos ? 0 : slash + 1));
    empty = slash == empty.npos ? std::string_view() : empty.substr(0, slash);
    const Fd above = tree_.open_real_folder(empty);
    if (!above || retry(::unlinkat, above.get(), name.c_str(), AT_REMOVEDIR) != 0) break;
  }
}

} // namespace fs
