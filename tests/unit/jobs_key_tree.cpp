// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "jobs/key_tree.hpp"

using omnistore::jobs::KeyTree;

namespace {

std::vector<std::string> names(const KeyTree::Folder &folder, KeyTree::Order order) {
  std::vector<std::string> result;
  for (const auto &each : KeyTree::sorted(folder, order)) result.emplace_back(each.first);
  return result;
}

} // namespace

TEST_CASE("a tree counts keys and bytes for each folder and those above it") {
  KeyTree tree("", 5);
  tree.add("a:b:c", 1);
  tree.add("a:b:d", 10);
  tree.add("a:e", 100);
  tree.add("f", 1000);
  const KeyTree::Folder &a = *tree.root().folders.at("a"), &b = *a.folders.at("b");
  CHECK(tree.root().keys == 4);
  CHECK(tree.root().bytes == 1111);
  CHECK(tree.root().direct == 1);
  CHECK(tree.root().direct_bytes == 1000);
  CHECK(a.keys == 3);
  CHECK(a.bytes == 111);
  CHECK(b.keys == 2);
  CHECK(b.bytes == 11);
  CHECK(b.folders.empty());
}

TEST_CASE("a tree knows keys without its base") {
  KeyTree tree("a:b:", 5);
  tree.add("a:b:c:d", 1);
  CHECK(names(tree.root(), KeyTree::Order::name) == std::vector<std::string>{"c"});
}

TEST_CASE("keys deeper than the tree count for the folder above them") {
  KeyTree tree("", 1);
  tree.add("a:b:c:d", 7);
  tree.add("a:b:e", 1);
  CHECK(tree.root().folders.at("a")->keys == 2);
  CHECK(tree.root().folders.at("a")->bytes == 8);
  CHECK(tree.root().folders.at("a")->folders.empty());
  KeyTree flat("", 0);
  flat.add("a:b", 7);
  CHECK(flat.root().keys == 1);
  CHECK(flat.root().folders.empty());
}

TEST_CASE("folders beyond the size of a tree count for the one above them") {
  KeyTree tree("", 2, 2);
  tree.add("a:k", 1);
  tree.add("b:k", 1);
  tree.add("c:k", 1);
  tree.add("a:x:k", 1);
  CHECK(names(tree.root(), KeyTree::Order::name) == std::vector<std::string>{"a", "b"});
  CHECK(tree.root().keys == 4);
  CHECK(tree.root().folded == 1);
  CHECK(tree.root().folders.at("a")->keys == 2);
  CHECK(tree.root().folders.at("a")->folded == 1);
}

TEST_CASE("folders come by name, by keys or by size") {
  KeyTree tree("", 1);
  tree.add("b:1", 5);
  tree.add("a:1", 1);
  tree.add("a:2", 1);
  tree.add("c:1", 100);
  using Names = std::vector<std::string>;
  CHECK(names(tree.root(), KeyTree::Order::name) == Names{"a", "b", "c"});
  CHECK(names(tree.root(), KeyTree::Order::keys) == Names{"a", "b", "c"});
  CHECK(names(tree.root(), KeyTree::Order::size) == Names{"c", "b", "a"});
  tree.add("c:2", 1);
  tree.add("c:3", 1);
  CHECK(names(tree.root(), KeyTree::Order::keys) == Names{"c", "a", "b"});
}
