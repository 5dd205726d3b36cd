// SPDX-License-Identifier: Apache-2.0
#include "cli/inspect_tree.hpp"
#include "base/printable.hpp"

#include <algorithm>

#include <boost/json/object.hpp>

#include "cli/explained.hpp"
#include "cli/output.hpp"
#include "jobs/key_tree.hpp"
#include "jobs/preview.hpp"

namespace omnistore::cli {
namespace {

using jobs::KeyTree;

class TreePrinter {
public:
  TreePrinter(const Inspect &options, bool json)
      : order_(options.order == "keys"   ? KeyTree::Order::keys
               : options.order == "size" ? KeyTree::Order::size
                                         : KeyTree::Order::name),
        most_(options.limit.value_or(json ? UINT64_MAX : 20)), sizes_(options.sizes) {}

  void table(const std::string &base, const KeyTree::Folder &root) {
    rows_.push_back({"FOLDER", "KEYS", "SIZE"});
    row(base.empty() ? "(all)" : base::printable(base), root.keys, root.bytes);
    below(root, "");
    print_table(out_, rows_);
    out_.flush();
  }

  void json(const std::string &base, const KeyTree::Folder &root) {
    for (const auto &[name, folder] : first(root)) json(base + std::string(name) + ":", *folder, true);
    json(base, root, false);
    out_.flush();
  }

private:
  std::vector<KeyTree::Named> first(const KeyTree::Folder &folder) const {
    std::vector<KeyTree::Named> all = KeyTree::sorted(folder, order_);
    if (all.size() > most_) all.resize(most_);
    return all;
  }
  void row(const std::string &name, std::uint64_t keys, std::uint64_t bytes) {
    rows_.push_back({name, std::to_string(keys), sizes_ ? size_text(bytes) : "-"});
  }

  /// Adds the rows of a folder: its folders, those that are not shown, and the keys that are in none of them.
  void below(const KeyTree::Folder &folder, const std::string &indent) {
    const std::vector<KeyTree::Named> shown = first(folder);
    std::uint64_t keys = folder.keys - folder.direct, bytes = folder.bytes - folder.direct_bytes;
    for (const auto &each : shown) keys -= each.second->keys, bytes -= each.second->bytes;
    const std::size_t hidden = folder.folders.size() - shown.size();
    const bool more = !folder.folders.empty() && keys != 0, own = !folder.folders.empty() && folder.direct != 0;
    for (const auto &[name, child] : shown) {
      const bool last = child == shown.back().second && !more && !own;
      row(indent + (last ? "└─ " : "├─ ") + base::printable(name) + ":", child->keys, child->bytes);
      below(*child, indent + (last ? "   " : "│  "));
    }
    const std::string number = folder.folded != 0 ? "" : std::to_string(hidden) + " ";
    if (more)
      row(indent + (own ? "├─ " : "└─ ") + "... and " + number + (number == "1 " ? "more folder" : "more folders"),
          keys, bytes);
    if (own) row(indent + "└─ (keys right here)", folder.direct, folder.direct_bytes);
  }

  void json(const std::string &base, const KeyTree::Folder &folder, bool with_below) {
    boost::json::object line{
        {"folder", base}, {"keys", folder.keys}, {"size", nullptr}, {"direct", folder.direct}, {"folders", nullptr}};
    if (sizes_) line["size"] = folder.bytes;
    if (folder.folded == 0) line["folders"] = folder.folders.size();
    out_.json(line);
    if (!with_below) return;
    for (const auto &[name, child] : first(folder)) json(base + std::string(name) + ":", *child, true);
  }

  const KeyTree::Order order_;
  const std::uint64_t most_;
  const bool sizes_;
  Output out_;
  std::vector<std::vector<std::string>> rows_;
};

} // namespace

int print_tree(const Global &global, const Inspect &options, const std::string &base, const jobs::ListPage &list) {
  KeyTree tree(base, options.depth);
  jobs::walk(list, options.sizes,
             [&](const Page::Item &item) { tree.add(item.key, item.meta.size == UINT64_MAX ? 0 : item.meta.size); });
  TreePrinter printer(options, global.json);
  global.json ? printer.json(base, tree.root()) : printer.table(base, tree.root());
  return 0;
}

} // namespace omnistore::cli
