// SPDX-License-Identifier: Apache-2.0
// The built fs plugin, opened by its C table over a host whose clock stands still and whose tasks wait until the test
// runs them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "support/driven.hpp"
#include "support/still_host.hpp"
#include "support/temporary.hpp"

namespace test {

inline const omnistore_driver &fs_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/fs.so");
  return library.driver();
}

/// The driver opened over a folder.
class Store : public Driven {
public:
  /// `more`: further options: JSON members after a comma.
  Store(Host &host, const std::string &base, std::string_view more = "") : Driven(fs_driver()) {
    open(host, "{" + option("base", base) + std::string(more) + "}");
  }
};

/// All names below a folder, the hidden ones too.
inline Keys names_in(const std::filesystem::path &folder) {
  Keys names;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(std::filesystem::relative(entry.path(), folder).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder, a host, and a store over it.
struct Fixture {
  Folder folder;
  Host host;
  Store store{host, folder.path().string()};

  std::string file(const std::string &path) const { return folder / path; }
  bool exists(const std::string &path) const {
    return std::filesystem::exists(std::filesystem::symlink_status(file(path)));
  }
  Keys names() const { return names_in(folder.path()); }
};

} // namespace test
