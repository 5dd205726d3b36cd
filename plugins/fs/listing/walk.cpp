// SPDX-License-Identifier: Apache-2.0
#include "listing/walk.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expiry/expiry.hpp"
#include "tree/entries.hpp"
#include "tree/retry.hpp"
#include "tree/slot.hpp"

namespace fs {

namespace {
constexpr std::size_t max_open = 16; ///< the most folders that a walk holds open

std::string_view name_of(std::string_view path) { return path.empty() ? "the base folder" : path; }

/// Returns the kind of a folder's entry: the value of a key (DT_REG, DT_LNK), a folder (DT_DIR), or DT_UNKNOWN if it is
/// none of these or `ignore` hides it.
unsigned char kind_of(int folder, std::string_view path, const Ignore &ignore, const char *raw, unsigned char type) {
  const std::string_view name(raw);
  if (!is_segment(name)) return DT_UNKNOWN;
  type = type_of(folder, raw, type);
  if (type != DT_DIR && type != DT_REG && type != DT_LNK) return DT_UNKNOWN;
  const bool hidden = type == DT_DIR ? ignore.folder(path, name) : ignore.file(path, name);
  if (hidden) return DT_UNKNOWN;
  return type;
}

/// Returns true if a folder has a value of a key below its own, or another folder. Only the first names are read.
bool has_keys(int folder, std::string_view path, const Ignore &ignore) {
  alignas(Entry) char buffer[4096];
  for (long size; (size = retry(::syscall, SYS_getdents64, folder, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < size;) {
      const auto *entry = reinterpret_cast<const Entry *>(buffer + at);
      const char *name = buffer + at + entry_name_offset;
      at += entry->size;
      const std::string_view text(name);
      if (text == "." || text == ".." || text == own_name || is_temporary(text)) continue;
      if (kind_of(folder, path, ignore, name, entry->type) != DT_UNKNOWN) return true;
    }
  }
  return false;
}
} // namespace

// ------------------------------------------------------------------------------------------------------------- names

void Names::read(int folder, std::string_view path, const Ignore &ignore, From from,
                 std::vector<std::string> &leftovers, std::size_t limit) {
  items_.clear();
  blocks_.clear();
  filled_ = block_size;
  cut_ = false;
  struct stat status;
  constexpr std::size_t least_entry = 24; // about the least bytes of an entry in the folder's own file
  if (retry(::fstat, folder, &status) == 0) {
    items_.reserve(std::min(static_cast<std::size_t>(status.st_size) / least_entry, 2 * limit));
  }
  read_entries(
      folder, path,
      [&](const char *name, unsigned char type) { take(folder, path, ignore, from, name, type, leftovers); },
      [&] {
        if (items_.size() > 2 * limit) keep_first(limit);
      });
  if (items_.size() > limit) keep_first(limit);
  sort();
}

void Names::take(int folder, std::string_view path, const Ignore &ignore, From from, const char *raw,
                 unsigned char type, std::vector<std::string> &leftovers) {
  const std::string_view name(raw);
  if (name == "." || name == ".." || name == own_name) return;
  if (is_temporary(name)) return leftovers.emplace_back(name), void();
  type = kind_of(folder, path, ignore, raw, type);
  if (type == DT_UNKNOWN) return;
  if (type != DT_DIR) return add(from, name, type == DT_REG ? Kind::file : Kind::link);
  add(from, name, Kind::own);
  add(from, std::string(name) + ':', Kind::below);
}

void Names::add(From from, std::string_view name, Kind kind) {
  if (!from.text.empty() && (from.included ? name < from.text : name <= from.text)) return;
  items_.push_back({0, keep_text(name), static_cast<std::uint16_t>(name.size()), kind});
}

std::uint32_t Names::keep_text(std::string_view text) {
  if (block_size - filled_ < text.size()) {
    blocks_.emplace_back(new char[block_size]);
    filled_ = 0;
  }
  const std::size_t place = (blocks_.size() - 1) * block_size + filled_;
  filled_ += text.copy(blocks_.back().get() + filled_, text.size());
  return static_cast<std::uint32_t>(place);
}

bool Names::before(const Item &a, const Item &b) const {
  if (a.head != b.head) return a.head < b.head;
  return text(a).substr(common_) < text(b).substr(common_);
}

/// Returns the bits in which the heads differ.
std::uint64_t Names::set_heads() {
  if (items_.empty()) return 0;
  const std::string_view first = text(items_[0]);
  common_ = first.size();
  for (const Item &item : items_) {
    const std::string_view other = text(item);
    std::size_t same = 0;
    for (const std::size_t end = std::min(common_, other.size()); same < end && other[same] == first[same];) ++same;
    common_ = same;
  }
  std::uint64_t differ = 0;
  for (Item &item : items_) {
    const std::string_view rest = text(item).substr(common_);
    item.head = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      item.head = item.head << 8 | (i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0u);
    }
    differ |= item.head ^ items_[0].head;
  }
  return differ;
}

/// A radix sort by the bytes of the heads, from the last to the first, without the bytes that are equal in all heads.
/// Names with equal heads are then sorted by comparison.
void Names::sort() {
  const std::uint64_t differ = set_heads();
  const auto order = [this](const Item &a, const Item &b) { return before(a, b); };
  if (items_.size() < 1024) return std::sort(items_.begin(), items_.end(), order);
  std::vector<Item> other(items_.size());
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if (!(differ >> shift & 0xff)) continue;
    std::size_t starts[257] = {};
    for (const Item &item : items_) ++starts[(item.head >> shift & 0xff) + 1];
    for (unsigned i = 1; i < 257; ++i) starts[i] += starts[i - 1];
    for (const Item &item : items_) other[starts[item.head >> shift & 0xff]++] = item;
    items_.swap(other);
  }
  for (auto begin = items_.begin(); begin != items_.end();) {
    const auto end = std::find_if(begin, items_.end(), [&](const Item &item) { return item.head != begin->head; });
    if (end - begin > 1) std::sort(begin, end, order);
    begin = end;
  }
}

void Names::keep_first(std::size_t limit) {
  set_heads();
  const auto order = [this](const Item &a, const Item &b) { return before(a, b); };
  std::nth_element(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(limit), items_.end(), order);
  items_.resize(limit);
  const std::vector<std::unique_ptr<char[]>> old = std::exchange(blocks_, {});
  filled_ = block_size;
  for (Item &item : items_) {
    item.place = keep_text({old[item.place / block_size].get() + item.place % block_size, item.size});
  }
  cut_ = true;
}

// -------------------------------------------------------------------------------------------------------------- walk

Walk::Walk(const Tree &tree, const Ignore &ignore, Options options)
    : tree_(&tree), ignore_(&ignore), options_(std::move(options)), changes_(tree.changes()) {
  if (!ignore.branch(folder_of(options_.base))) enter(options_.base, 0);
}

void Walk::enter(std::string prefix, std::uint32_t level) {
  const std::string path = folder_of(prefix);
  Frame frame;
  try {
    frame.folder = tree_->open_folder(path);
    if (!frame.folder) fail(errno, name_of(path));
    frame.expiring = has_expiring(frame.folder.get(), name_of(path));
    if (options_.only_expiring && !frame.expiring) return;
    frame.level = level;
    // The part of `from` in this folder: a name of its own, or the folder that the key lies in.
    std::string_view rest = options_.from;
    rest = rest.starts_with(prefix) ? rest.substr(prefix.size()) : std::string_view();
    const std::size_t colon = rest.find(':');
    frame.prefix = prefix;
    read(frame, {colon == rest.npos ? rest : rest.substr(0, colon + 1), true});
  } catch (const SystemFailure &failure) {
    if (!leaves_out(prefix, failure.error(), stack_.empty())) throw;
    return;
  }
  if (stack_.size() >= max_open) stack_[stack_.size() - max_open].folder = Fd();
  stack_.push_back(std::move(frame));
}

/// Returns true if the walk continues without a place: it is gone, or it cannot be read, which is reported. Returns
/// false if the walk must fail. `is_base`: the place is the base of the walk, which the caller named.
bool Walk::leaves_out(const std::string &base, int error, bool is_base) {
  if (is_base) return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
  if (is_gone(error)) return true;
  if (!is_unreadable(error)) return false;
  if (left_out_ == base) return true; // a folder is reported once, not with each of its files
  left_out_ = base;
  if (options_.reports) unreported_.push_back({base, error});
  if (!unreadable_) unreadable_ = {base, error};
  return true;
}

void Walk::read(Frame &frame, Names::From from) {
  std::vector<std::string> leftovers;
  frame.names.read(frame.folder.get(), folder_of(frame.prefix), *ignore_, from, leftovers);
  frame.at = 0;
  if (!options_.clean) return;
  for (const std::string &name : leftovers) remove_leftover(*tree_, frame.folder.get(), name);
}

Walk::Step Walk::next() {
  while (!stack_.empty()) {
    Frame &top = stack_.back();
    if (top.at < top.names.size()) {
      const Names::Item item = top.names[top.at++];
      if (!options_.to.empty() && top.prefix + std::string(top.names.text(item)) >= options_.to) {
        stack_.clear();
        return Step::end;
      }
      if (item.kind != Names::Kind::below) {
        if (settle(item)) return Step::value;
      } else if (top.level < options_.depth) {
        enter(top.prefix + std::string(top.names.text(item)), top.level + 1);
      } else if (options_.folders && settle_folder(item)) {
        return Step::folder;
      }
      continue;
    }
    if (top.names.was_cut() && folder() >= 0) {
      try {
        retry(::lseek, folder(), 0, SEEK_SET);
        const std::string last(top.names.text(top.names[top.names.size() - 1]));
        read(top, {last, false});
        continue;
      } catch (const SystemFailure &failure) {
        if (!leaves_out(top.prefix, failure.error(), stack_.size() == 1)) throw;
      }
    }
    left_ = folder_of(top.prefix);
    stack_.pop_back();
    return Step::left;
  }
  return Step::end;
}

/// Makes the item the current value. Returns false if it is no value.
bool Walk::settle(const Names::Item &item) {
  const Frame &top = stack_.back();
  key_ = top.prefix;
  key_ += top.names.text(item);
  status_.reset();
  if (item.kind == Names::Kind::file) return key_.size() <= longest_key;
  if (key_.size() > longest_key) return false;
  struct stat found;
  bool is_there = false;
  if (item.kind == Names::Kind::own) {
    const std::string own = std::string(top.names.text(item)) + '/' + own_name;
    if (folder() < 0) return false;
    is_there = retry(::fstatat, folder(), own.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
  } else {
    const Fd target = tree_->open(path_of(key_).c_str(), O_PATH);
    is_there = target && retry(::fstat, target.get(), &found) == 0;
  }
  if (!is_there) {
    // A folder that may not be searched is reported as one place, with its own value.
    const bool is_folder = item.kind == Names::Kind::own && errno == EACCES;
    if (!leaves_out(is_folder ? key_ + ':' : key_, errno)) fail(errno, path_of(key_));
  }
  if (!is_there || !S_ISREG(found.st_mode)) return false;
  status_ = found;
  return true;
}

/// Makes the item the current folder, if keys may lie in it. One that cannot be read is a folder too: a listing of it
/// says why.
bool Walk::settle_folder(const Names::Item &item) {
  const Frame &top = stack_.back();
  key_ = top.prefix;
  key_ += top.names.text(item);
  if (key_.size() >= longest_key) return false;
  const std::string path = folder_of(key_);
  const Fd folder = tree_->open_folder(path);
  return folder ? has_keys(folder.get(), path, *ignore_) : !is_gone(errno);
}

const struct stat *Walk::status() {
  if (status_) return &*status_;
  struct stat found;
  const std::string &prefix = stack_.back().prefix;
  const char *name = key_.c_str() + prefix.size();
  if (folder() < 0) return nullptr;
  if (retry(::fstatat, folder(), name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    // If its names can be read but not its files, the folder is reported. If a file is damaged, the file is.
    if (!leaves_out(errno == EACCES ? prefix : key_, errno)) fail(errno, path_of(key_));
    return nullptr;
  }
  if (S_ISDIR(found.st_mode)) { // the file has become a folder since its name was read
    const std::string own = std::string(name) + '/' + own_name;
    if (retry(::fstatat, folder(), own.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (!leaves_out(key_, errno)) fail(errno, path_of(key_));
      return nullptr;
    }
  }
  if (!S_ISREG(found.st_mode)) return nullptr;
  status_ = found;
  return &*status_;
}

std::optional<Life> Walk::life() {
  if (!(status_->st_mode & S_ISVTX)) return life_without_attribute(*status_);
  const std::string path = path_of(key_);
  constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  try {
    Fd file = tree_->open(path.c_str(), flags);
    struct stat found;
    if (file && retry(::fstat, file.get(), &found) == 0 && S_ISDIR(found.st_mode)) {
      file = tree_->open((path + '/' + own_name).c_str(), flags);
    }
    if (file) return read_life(file.get(), *status_, path);
    // The file is gone, or only its owner may read it.
    if (is_gone(errno) || errno == EACCES || errno == EPERM) return life_without_attribute(*status_);
    fail(errno, path);
  } catch (const SystemFailure &failure) {
    if (!leaves_out(key_, failure.error())) throw;
  }
  return std::nullopt;
}

int Walk::folder() {
  Frame &top = stack_.back();
  if (!top.folder) {
    const std::string path = folder_of(top.prefix);
    top.folder = tree_->open_folder(path);
    if (!top.folder && !leaves_out(top.prefix, errno, stack_.size() == 1)) fail(errno, name_of(path));
  }
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
