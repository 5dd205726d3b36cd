// SPDX-License-Identifier: Apache-2.0
// Counts keys by folder. The folder of a key is the part before its last ':'.
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

/// The number of keys, and the size of their values, in each folder below a base. It keeps the folders down to a depth,
/// and at most `most` of them, however many keys there are: deeper keys count for the folder above. For one thread at a
/// time.
class KeyTree {
public:
  static constexpr std::size_t most_folders = 100'000;

  struct Folder {
    std::uint64_t keys = 0;   ///< in it and in all folders below it
    std::uint64_t bytes = 0;  ///< of their values
    std::uint64_t direct = 0; ///< the keys that are in no folder below it
    std::uint64_t direct_bytes = 0;
    std::uint64_t folded = 0; ///< the keys in folders below it that are not kept
    std::map<std::string, std::unique_ptr<Folder>, std::less<>> folders;
  };

  /// Folders are relative to `base`, which ends in ':' or is empty. A depth of 1 keeps the folders directly below it.
  KeyTree(std::string base, unsigned depth, std::size_t most = most_folders)
      : base_(std::move(base)), depth_(depth), most_(most) {}

  void add(std::string_view key, std::uint64_t bytes);
  const Folder &root() const { return root_; }

  enum class Order { name, keys, size };
  /// Returns the folders in a folder, sorted by name, or by keys or bytes in descending order.
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
