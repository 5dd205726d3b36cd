// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/clock.hpp"
#include "storage/fixture.hpp"
#include "support/origin.hpp"
#include "support/temporary.hpp"

namespace test {

inline const std::string memory_copies = R"("driver": "memory")";

/// Copies in a folder.
inline std::string in_files(const Folder &folder) {
  return R"("driver": "fs", "options": { "base": ")" + folder.path().string() + R"(" })";
}

/// A mount at `pages` whose store, `copies` (a driver and its options), stands before an origin.
inline std::string cached(const Origin &origin, const std::string &invalidation,
                          const std::string &copies = memory_copies) {
  return R"({ "pages": { )" + copies + R"(, "invalidation": )" + invalidation +
         R"(, "origin": { "driver": "http", "options": { "base": ")" + origin.url() + R"(" } } } })";
}

/// A copy that is stale: read once, and then older than the minute that maxAge is.
inline void make_stale(omnistore::Storage &storage, const std::string &key) {
  storage.get(key);
  omnistore::advance_clock(61'000);
}

/// Waits until a key has another value than `old`; gives the last that was read.
inline std::string other_than(const omnistore::Storage &storage, const std::string &key, const std::string &old) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string value = old;
  while (value == old && std::chrono::steady_clock::now() < deadline) {
    value = storage.get(key).value_or("nothing");
    std::this_thread::yield();
  }
  return value;
}

} // namespace test
