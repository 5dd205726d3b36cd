// SPDX-License-Identifier: Apache-2.0
// The built lmdb plugin, opened by its C table.
#pragma once

#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "support/driven.hpp"
#include "support/still_host.hpp"
#include "support/temporary.hpp"

namespace test {

inline const omnistore_driver &lmdb_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/lmdb.so");
  return library.driver();
}

class Store : public Driven {
public:
  /// `more`: further options: JSON members after a comma. Nothing waits for the disk unless they say so.
  Store(Host &host, const std::string &path, std::string_view more = "") : Driven(lmdb_driver()) {
    const std::string durability = more.find("durability") == more.npos ? R"(,"durability":"none")" : "";
    open(host, "{" + option("path", path) + durability + std::string(more) + "}");
  }
};

/// A folder, a host, and a store in it.
struct Fixture {
  Folder folder;
  Host host;
  std::string path = folder / "db";
  Store store{host, path};
};

inline std::string bytes_of(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 257 + seed) & 0xff);
  return bytes;
}

} // namespace test
