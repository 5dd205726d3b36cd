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

/// Borrows what a store lends.
struct Borrower : omnistore_sink {
  const char *data = nullptr;
  std::uint64_t size_lent = 0;
  omnistore_loan loan{};

  Borrower() : omnistore_sink{sizeof(omnistore_sink), 0, nullptr, nullptr, nullptr} {
    begin = [](omnistore_sink *, const omnistore_meta *, void **buffer) {
      if (buffer) *buffer = nullptr;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *, const void *, std::uint64_t) { return OMNISTORE_INTERNAL; };
    lend = [](omnistore_sink *sink, const void *bytes, std::uint64_t count, const omnistore_loan *given) {
      auto &self = *static_cast<Borrower *>(sink);
      self.data = static_cast<const char *>(bytes), self.size_lent = count, self.loan = *given;
      return OMNISTORE_OK;
    };
  }
  std::string_view bytes() const { return {data, size_lent}; }
  void give_back() { loan.release(loan.owner, loan.item); }
};

inline omnistore_status get(Store &store, std::string_view key, omnistore_sink &sink) {
  const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
  Call call;
  return store.driver().get(store.self(), &call, omnistore::as_bytes(key), &request, &sink);
}

} // namespace test
