// SPDX-License-Identifier: Apache-2.0
// A walk over the keys below a base, in the order of their bytes, that can begin behind any key.
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

/// The names in a folder that stand for keys, sorted so that the keys come in order. A folder `d` is there twice: as
/// `d`, for the key whose value may be the file `d/$`, and as `d:`, for the keys below it (`d!` sorts between them).
class Names {
public:
  enum class Kind : std::uint8_t { file, link, own, below };
  struct Item {
    std::uint64_t head;  ///< the first bytes behind what all names begin with: settles most comparisons
    std::uint32_t place; ///< of the text: its block, and where in it
    std::uint16_t size;
    Kind kind;
  };
  static constexpr std::size_t most = std::size_t(1) << 20;

  /// Where reading begins: behind a text, or at it.
  struct From {
    std::string_view text; ///< empty: at the start
    bool included = false;
  };

  /// Reads the open folder, whose path below base is `path`. Where it holds more than `limit` names only the first of
  /// them are kept, so that memory has a bound. Names of unfinished writes are put into `leftovers`.
  void read(int folder, std::string_view path, const Ignore &ignore, From from, std::vector<std::string> &leftovers,
            std::size_t limit = most);

  std::size_t size() const { return items_.size(); }
  const Item &operator[](std::size_t i) const { return items_[i]; }
  std::string_view text(const Item &item) const {
    return {blocks_[item.place / block_size].get() + item.place % block_size, item.size};
  }
  /// There were more: read again behind the last.
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
  std::size_t common_ = 0;                      ///< how many bytes all texts begin with alike
  bool cut_ = false;
};

/// A place that a walk has left out because it cannot be read.
struct UnreadablePlace {
  std::string base; ///< a key prefix that ends in ':', or one key
  int error;        ///< an errno

  /// The folder's path, or the value's, below the base folder.
  std::string path() const { return base.ends_with(':') ? folder_of(base) : path_of(base); }
};

/// Not thread-safe. It holds descriptors of the last few folders that it is in; pause() gives them back.
class Walk {
public:
  struct Options {
    std::string base;  ///< a key prefix: empty, or ending in ':'
    std::string after; ///< begin behind this key; empty: at the start
    std::uint32_t depth = UINT32_MAX;
    bool only_expiring = false; ///< leave out folders without expiring values
    bool clean = false;         ///< remove old leftovers of unfinished writes
    bool reports = false;       ///< take_unreadable() is asked
  };
  enum class Step { value, left, end };

  // The constructor and each step throw a SystemFailure if they cannot tell what there is: nothing is taken for absent
  // that may be there.
  Walk(const Tree &tree, const Ignore &ignore, Options options);

  /// Goes on: to the next value; or out of a folder all of whose keys have come (`left`); or to the end.
  Step next();

  // Of a value, until the next step:
  const std::string &key() const { return key_; }
  /// What fstat says of the value's file; null if it is gone, no regular file, or left out as unreadable.
  const struct stat *status();
  /// How long the value lives, if status() was not null; nothing: it is left out as unreadable.
  std::optional<Life> life();
  /// The folder that it lies in, open until the next step; -1 where that is gone.
  int folder();
  /// Whether values of this folder may expire.
  bool may_expire() const { return stack_.back().expiring; }

  /// Of a folder that was left: its path.
  const std::string &left() const { return left_; }

  const Options &options() const { return options_; }
  /// Base has become another folder since the walk began.
  bool is_outdated() const { return changes_ != tree_->changes(); }
  /// The first place that was left out because it cannot be read.
  const std::optional<UnreadablePlace> &unreadable() const { return unreadable_; }
  /// The places that were left out since it was last asked.
  std::vector<UnreadablePlace> take_unreadable() { return std::exchange(unreported_, {}); }
  /// Nothing that it has read is left.
  bool at_end() const;
  std::chrono::steady_clock::time_point begun() const { return begun_; }
  /// How many names it holds in memory.
  std::size_t held() const;
  void pause();

private:
  struct Frame {
    std::string prefix; ///< of its keys
    Fd folder;          ///< opened when it is needed
    Names names;
    std::size_t at = 0;
    std::uint32_t level = 0; ///< how many ':' its own keys have behind the base
    bool expiring = false;
  };

  void enter(std::string prefix, std::uint32_t level);
  void read(Frame &frame, Names::From from);
  bool settle(const Names::Item &item);
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
  std::optional<std::string> left_out_; ///< the last
};

} // namespace fs
