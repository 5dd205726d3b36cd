// SPDX-License-Identifier: Apache-2.0
#include "jobs/key_tree.hpp"

#include <algorithm>

namespace omnistore::jobs {

void KeyTree::add(std::string_view key, std::uint64_t bytes) {
  if (key.starts_with(base_)) key.remove_prefix(base_.size());
  Folder *folder = &root_;
  for (unsigned depth = 0;; ++depth) {
    ++folder->keys;
    folder->bytes += bytes;
    const std::size_t colon = key.find(':');
    if (colon == key.npos) {
      ++folder->direct;
      folder->direct_bytes += bytes;
      return;
    }
    if (depth == depth_) return;
    const std::string_view name = key.substr(0, colon);
    auto found = folder->folders.find(name);
    if (found == folder->folders.end()) {
      if (held_ == most_) {
        ++folder->folded;
        return;
      }
      ++held_;
      found = folder->folders.emplace(name, std::make_unique<Folder>()).first;
    }
    folder = found->second.get();
    key.remove_prefix(colon + 1);
  }
}

std::vector<KeyTree::Named> KeyTree::sorted(const Folder &folder, Order order) {
  std::vector<Named> result;
  for (const auto &[name, below] : folder.folders) result.emplace_back(name, below.get());
  if (order == Order::name) return result;
  std::stable_sort(result.begin(), result.end(), [order](const Named &a, const Named &b) {
    return order == Order::keys ? a.second->keys > b.second->keys : a.second->bytes > b.second->bytes;
  });
  return result;
}

} // namespace omnistore::jobs
