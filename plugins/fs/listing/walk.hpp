// SPDX-License-Identifier: Apache-2.0
// A walk over the keys below a base, in the order of their bytes. It can begin after any key.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "expiry/expiry.hpp"
#include "listing/ignore.hpp"
#include "tree/tree.hpp"

namespace fs {

/// The names of a folder that are segments of keys, sorted so that the keys are in order. A folder `d` appears twice:
/// as `d`, for the key whose value may be the file `d/$`, and as `d:`, for the keys below it (`d!` sorts between them).
class Names {
public:
  enum class Kind : std::uint8_t { file, link, own, below };
  struct Item {
    std::uint64_t head;  ///< the first bytes after the common start of all names: they decide most comparisons
    std::uint32_t place; ///< of the text: its block and its offset there
    std::uint16_t size;
    Kind kind;
  };
  static constexpr std::size_t most = std::size_t(1) << 20;

  /// The beginning of a read: after a text, or at it.
  struct From {
    std::string_view text; ///< empty: at the start
    bool included = false;
  };

  /// Reads the open folder, whose path below base is `path`. If it has more than `limit` names, only the first of them
  /// are stored, so that the memory has a bound. Names of temporary files are added to `leftovers`.
  void read(int folder, std::string_view path, const Ignore &ignore, From from, std::vector<std::string> &leftovers,
            std::size_t limit = most);

  std::size_t size() const { return items_.size(); }
  const Item &operator[](std::size_t i) const { return items_[i]; }
  std::string_view text(const Item &item) const {
    return {blocks_[item.place / block_size].get() + item.place % block_size, item.size};
  }
  /// Returns true if there were more names. The caller reads again after the last one.
  bool was_cut() const { return cut_; }

private:
  static constexpr std::size_t block_size = 64 * 1024;

  void take(int folder, std::string_view path, const Ignore &ignore, From from, const char *name, unsigned char type,
            std::vector<std::string> &leftovers);
  void add(From from, std::string_view name, Kind kind);
  std::uint32_t keep_text(std::string_view text);
  bool before(const Item &a, const Item &b) const;
  std::uint64_t set_heads();
  void sort();
  void keep_first(std::size_t limit);

  std::vector<Item> items_;
  std::vector<std::unique_ptr<char[]>> blocks_; ///< of texts
  std::size_t filled_ = block_size;             ///< of the last block
  std::size_t common_ = 0;                      ///< the length of the common start of all texts
  bool cut_ = false;
};

/// A folder or value that a walk has left out because it cannot be read.
struct UnreadablePlace {
  std::string base; ///< a key prefix that ends in ':', or one key
  int error;        ///< an errno

  /// The folder's path, or the value's, below the base folder.
  std::string path() const { return base.ends_with(':') ? folder_of(base) : path_of(base); }
};

/// Not thread-safe. It holds descriptors of a few folders that it is in; pause() closes them.
class Walk {
public:
  struct Options {
    std::string base; ///< a key prefix: empty, or ending in ':'
    std::string from; ///< begin at this name; empty: at the start
    std::string to;   ///< end before this name; empty: at the end of the base
    std::uint32_t depth = UINT32_MAX;
    bool folders = false;       ///< stop at the folders that depth leaves out
    bool only_expiring = false; ///< leave out folders without expiring values
    bool clean = false;         ///< remove old temporary files
    bool reports = false;       ///< the caller uses take_unreadable()

    bool operator==(const Options &) const = default;
  };
  enum class Step { value, folder, left, end };

  // The constructor and each step throw a SystemFailure if they cannot find out what exists: nothing is taken for
  // absent that may exist.
  Walk(const Tree &tree, const Ignore &ignore, Options options);

  /// Moves on: to the next value, to a folder that the walk does not enter (`folder`), out of a folder whose keys are
  /// all done (`left`), or to the end.
  Step next();

  /// Returns the value's key, or the folder's name with its ':', until the next step.
  const std::string &key() const { return key_; }

  // These describe the current value, until the next step:
  /// Returns the stat of the value's file; null if the file is gone, is no regular file, or cannot be read.
  const struct stat *status();
  /// Returns the life of the value, if status() is not null; nullopt if it cannot be read.
  std::optional<Life> life();
  /// Returns the folder of the value, which is open until the next step; -1 if it is gone.
  int folder();
  /// Returns true if values of this folder may expire.
  bool may_expire() const { return stack_.back().expiring; }

  /// Returns the path of the folder that was left.
  const std::string &left() const { return left_; }

  const Options &options() const { return options_; }
  /// Returns true if the base has become another folder since the walk began.
  bool is_outdated() const { return changes_ != tree_->changes(); }
  /// Returns the first place that was left out because it cannot be read.
  const std::optional<UnreadablePlace> &unreadable() const { return unreadable_; }
  /// Returns the places that were left out since the last call.
  std::vector<UnreadablePlace> take_unreadable() { return std::exchange(unreported_, {}); }
  /// Returns true if no name that it has read is left.
  bool at_end() const;
  std::chrono::steady_clock::time_point begun() const { return begun_; }
  /// Returns how many names it holds in memory.
  std::size_t held() const;
  void pause();

private:
  struct Frame {
    std::string prefix; ///< the start of its keys
    Fd folder;          ///< open only while it is needed
    Names names;
    std::size_t at = 0;
    std::uint32_t level = 0; ///< how many ':' its keys have after the base
    bool expiring = false;
  };

  void enter(std::string prefix, std::uint32_t level);
  void read(Frame &frame, Names::From from);
  bool settle(const Names::Item &item);
  bool settle_folder(const Names::Item &item);
  bool leaves_out(const std::string &base, int error, bool is_base = false);

  const Tree *tree_;
  const Ignore *ignore_;
  Options options_;
  std::uint64_t changes_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::vector<Frame> stack_;
  std::string key_, left_;
  std::optional<struct stat> status_;
  std::optional<UnreadablePlace> unreadable_;
  std::vector<UnreadablePlace> unreported_;
  std::optional<std::string> left_out_; ///< the last place that was left out
};

} // namespace fs
