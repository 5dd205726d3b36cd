// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "storage/fixture.hpp"
#include "support/temporary.hpp"

namespace test {

/// One layer of a `through`.
inline std::string layer(const std::string &driver, const std::string &options = "{}") {
  return R"({ "driver": ")" + driver + R"(", "options": )" + options + " }";
}

/// A storage of one mount at the root: layers, separated by commas, over a store.
inline omnistore::Storage open_through(const std::string &layers, const std::string &store = R"("driver": "memory")") {
  return open(R"({ "": { )" + store + R"(, "through": [ )" + layers + " ] } }");
}

/// The file that switches the layer fault on.
struct Trigger {
  Folder folder;
  void say(const std::string &what) const { write_file(folder / "trigger", what); }
  /// The options of a fault that it switches, with more of them.
  std::string options(const std::string &more = "") const {
    return R"({ "trigger": ")" + (folder / "trigger") + "\"" + (more.empty() ? "" : ", " + more) + " }";
  }
};

/// Returns the counter of this name of a store at the root, its layers' counters included.
inline std::uint64_t counter(const omnistore::Storage &storage, const std::string &name) {
  std::uint64_t sum = 0;
  const auto add = [&](const auto &self, const omnistore::MountStats &of) -> void {
    for (const auto &[key, value] : of.counters)
      if (key == name) sum += value;
    for (const omnistore::MountStats &below : of.layers) self(self, below);
  };
  for (const omnistore::MountStats &mount : storage.stats()) add(add, mount);
  return sum;
}

} // namespace test
