// SPDX-License-Identifier: Apache-2.0
#include "walk.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "expiry.hpp"
#include "slot.hpp"

namespace fs {

namespace {

/// What getdents64 gives; the C library has no name for it.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  unsigned char type;
  char name[1];
};
constexpr std::size_t name_offset = 19; // behind the fields above, without padding
static_assert(offsetof(Entry, name) == name_offset);

constexpr std::size_t most_open = 16; ///< folders that a walk holds open

unsigned char type_of(int folder, const char *name) {
  struct stat status;
  if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return S_ISREG(status.st_mode)   ? DT_REG
         : S_ISDIR(status.st_mode) ? DT_DIR
         : S_ISLNK(status.st_mode) ? DT_LNK
                                   : DT_UNKNOWN;
}

std::string path_of(std::string_view key) {
  std::string path(key);
  std::replace(path.begin(), path.end(), ':', '/');
  return path;
}

/// A base's path: without the ':' at its end.
std::string folder_of(std::string_view base) {
  if (!base.empty()) base.remove_suffix(1);
  return path_of(base);
}

} // namespace

// ------------------------------------------------------------------------------------------------------------- names

void Names::read(int folder, std::string_view path, const Ignore &ignore, From from,
                 std::vector<std::string> &leftovers, std::size_t limit) {
  items_.clear();
  texts_.clear();
  cut_ = false;
  constexpr std::size_t room = 64 * 1024;
  const std::unique_ptr<char[]> buffer(new char[room]);
  for (;;) {
    const long size = syscall(SYS_getdents64, folder, buffer.get(), room);
    if (size < 0 && errno != ENOENT) fail(errno, path.empty() ? "the base folder" : path);
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      const char *const raw = buffer.get() + at;
      const auto *entry = reinterpret_cast<const Entry *>(raw);
      take(folder, path, ignore, from, raw + name_offset, entry->type, leftovers);
      at += entry->size;
    }
    if (items_.size() > 2 * limit) keep_first(limit);
  }
  if (items_.size() > limit) keep_first(limit);
  set_heads();
  std::sort(items_.begin(), items_.end(), [this](const Item &a, const Item &b) { return before(a, b); });
}

void Names::take(int folder, std::string_view path, const Ignore &ignore, From from, const char *raw,
                 unsigned char type, std::vector<std::string> &leftovers) {
  const std::string_view name(raw);
  if (name == "." || name == ".." || name == own_name) return;
  if (is_temporary(name)) return leftovers.emplace_back(name), void();
  if (!is_segment(name)) return;
  if (type == DT_UNKNOWN) type = type_of(folder, raw);
  const bool is_folder = type == DT_DIR;
  if (!is_folder && type != DT_REG && type != DT_LNK) return;
  if (is_folder ? ignore.folder(path, name) : ignore.file(path, name)) return;
  if (!is_folder) return add(from, name, type == DT_REG ? Kind::file : Kind::link);
  add(from, name, Kind::own);
  add(from, std::string(name) + ':', Kind::below);
}

void Names::add(From from, std::string_view name, Kind kind) {
  if (!from.text.empty() && (from.included ? name < from.text : name <= from.text)) return;
  items_.push_back({0, static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint16_t>(name.size()), kind});
  texts_.insert(texts_.end(), name.begin(), name.end());
}

bool Names::before(const Item &a, const Item &b) const {
  if (a.head != b.head) return a.head < b.head;
  return text(a).substr(common_) < text(b).substr(common_);
}

void Names::set_heads() {
  common_ = items_.empty() ? 0 : items_[0].size;
  for (const Item &item : items_) {
    const std::string_view first = text(items_[0]), other = text(item);
    common_ = std::min<std::size_t>(common_, other.size());
    if (std::memcmp(first.data(), other.data(), common_) == 0) continue;
    common_ = static_cast<std::size_t>(std::mismatch(first.begin(), first.begin() + common_, other.begin()).first -
                                       first.begin());
  }
  for (Item &item : items_) {
    const std::string_view rest = text(item).substr(common_);
    item.head = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      item.head = item.head << 8 | (i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0u);
    }
  }
}

void Names::keep_first(std::size_t limit) {
  set_heads();
  const auto order = [this](const Item &a, const Item &b) { return before(a, b); };
  std::nth_element(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(limit), items_.end(), order);
  items_.resize(limit);
  std::vector<char> texts;
  for (Item &item : items_) {
    const std::string_view old = text(item);
    item.offset = static_cast<std::uint32_t>(texts.size());
    texts.insert(texts.end(), old.begin(), old.end());
  }
  texts_ = std::move(texts);
  cut_ = true;
}

// -------------------------------------------------------------------------------------------------------------- walk

Walk::Walk(const Tree &tree, const Ignore &ignore, Options options)
    : tree_(&tree), ignore_(&ignore), options_(std::move(options)) {
  if (!ignore.branch(folder_of(options_.base))) enter(options_.base, 0);
}

void Walk::enter(std::string prefix, std::uint32_t level) {
  const std::string path = folder_of(prefix);
  Fd opened = tree_->open_folder(path);
  if (!opened) {
    // Gone since its name was read, or never there.
    if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return;
    fail(errno, path.empty() ? "the base folder" : path);
  }
  const bool expiring = has_expiring(opened.get());
  if (options_.only_expiring && !expiring) return;
  if (stack_.size() >= most_open) stack_[stack_.size() - most_open].folder = Fd();
  Frame frame;
  frame.folder = std::move(opened);
  frame.prefix = std::move(prefix);
  frame.level = level;
  frame.expiring = expiring;
  // What of `after` lies in this folder: behind a key of its own, or at the folder that the key lies in.
  std::string_view rest = options_.after;
  rest = rest.starts_with(frame.prefix) ? rest.substr(frame.prefix.size()) : std::string_view();
  const std::size_t colon = rest.find(':');
  read(frame, {colon == rest.npos ? rest : rest.substr(0, colon + 1), colon != rest.npos});
  stack_.push_back(std::move(frame));
}

void Walk::read(Frame &frame, Names::From from) {
  std::vector<std::string> leftovers;
  frame.names.read(frame.folder.get(), folder_of(frame.prefix), *ignore_, from, leftovers);
  frame.at = 0;
  if (!options_.clean) return;
  for (const std::string &name : leftovers) remove_leftover(frame.folder.get(), name);
}

Walk::Step Walk::next() {
  while (!stack_.empty()) {
    Frame &top = stack_.back();
    if (top.at < top.names.size()) {
      const Names::Item item = top.names[top.at++];
      if (item.kind != Names::Kind::below) {
        if (settle(item)) return Step::value;
      } else if (top.level < options_.depth) {
        enter(top.prefix + std::string(top.names.text(item)), top.level + 1);
      }
      continue;
    }
    if (top.names.was_cut() && folder() >= 0) {
      lseek(folder(), 0, SEEK_SET);
      const std::string last(top.names.text(top.names[top.names.size() - 1]));
      read(top, {last, false});
      continue;
    }
    left_ = folder_of(top.prefix);
    stack_.pop_back();
    return Step::left;
  }
  return Step::end;
}

/// Makes the item the current value, where it is one.
bool Walk::settle(const Names::Item &item) {
  const Frame &top = stack_.back();
  key_ = top.prefix;
  key_ += top.names.text(item);
  status_.reset();
  if (item.kind == Names::Kind::file) return key_.size() <= longest_key;
  if (key_.size() > longest_key) return false;
  struct stat found;
  if (item.kind == Names::Kind::own) {
    const std::string own = std::string(top.names.text(item)) + '/' + own_name;
    if (folder() < 0 || fstatat(folder(), own.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return false;
  } else {
    const Fd target = tree_->open(path_of(key_).c_str(), O_PATH);
    if (!target || fstat(target.get(), &found) != 0) return false;
  }
  if (!S_ISREG(found.st_mode)) return false;
  status_ = found;
  return true;
}

const struct stat *Walk::status() {
  if (status_) return &*status_;
  struct stat found;
  const char *name = key_.c_str() + stack_.back().prefix.size();
  if (folder() < 0 || fstatat(folder(), name, &found, AT_SYMLINK_NOFOLLOW) != 0) return nullptr;
  if (S_ISDIR(found.st_mode)) { // its file has become a folder since the name was read
    const std::string own = std::string(name) + '/' + own_name;
    if (fstatat(folder(), own.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return nullptr;
  }
  if (!S_ISREG(found.st_mode)) return nullptr;
  status_ = found;
  return &*status_;
}

std::int64_t Walk::expiry() {
  if (!(status_->st_mode & S_ISVTX)) return 0;
  const std::string path = path_of(key_);
  Fd file = tree_->open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat found;
  if (file && fstat(file.get(), &found) == 0 && S_ISDIR(found.st_mode)) {
    file = tree_->open((path + '/' + own_name).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  }
  return file ? read_expiry(file.get(), *status_) : 0;
}

int Walk::folder() {
  Frame &top = stack_.back();
  if (!top.folder) top.folder = tree_->open_folder(folder_of(top.prefix));
  return top.folder.get();
}

void Walk::pause() {
  for (Frame &frame : stack_) frame.folder = Fd();
}

bool Walk::at_end() const {
  return std::all_of(stack_.begin(), stack_.end(),
                     [](const Frame &frame) { return frame.at == frame.names.size() && !frame.names.was_cut(); });
}

std::size_t Walk::held() const {
  std::size_t names = 0;
  for (const Frame &frame : stack_) names += frame.names.size();
  return names;
}

} // namespace fs
