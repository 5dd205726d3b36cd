// SPDX-License-Identifier: Apache-2.0
// Keys counted by folder: what lies before a key's last ':' is the folder that it is in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace omnistore::jobs {

/// How many keys each folder below a base has, and how large their values are in all. It holds the folders down to a
/// depth, and at most `most` of them, however many keys there are: what lies deeper counts for the folder above it. For
/// one thread at a time.
class KeyTree {
public:
  static constexpr std::size_t most_folders = 100'000;

  struct Folder {
    std::uint64_t keys = 0;   ///< in it and in all folders below it
    std::uint64_t bytes = 0;  ///< of their values
    std::uint64_t direct = 0; ///< of the keys, those that are in no folder below it
    std::uint64_t direct_bytes = 0;
    std::uint64_t folded = 0; ///< of the keys, those in folders below it that there was no room for
    std::map<std::string, std::unique_ptr<Folder>, std::less<>> folders;
  };

  /// Keys are known without `base` (which ends in ':' or is empty). A depth of 1 holds the folders right below it.
  KeyTree(std::string base, unsigned depth, std::size_t most = most_folders)
      : base_(std::move(base)), depth_(depth), most_(most) {}

  void add(std::string_view key, std::uint64_t bytes);
  const Folder &root() const { return root_; }

  enum class Order { name, keys, size };
  /// A folder's folders, as people want to see them: by name, or the most keys or bytes first.
  using Named = std::pair<std::string_view, const Folder *>;
  static std::vector<Named> sorted(const Folder &folder, Order order);

private:
  const std::string base_;
  const unsigned depth_;
  const std::size_t most_;
  std::size_t held_ = 0;
  Folder root_;
};

} // namespace omnistore::jobs
