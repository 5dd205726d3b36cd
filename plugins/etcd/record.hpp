// SPDX-License-Identifier: Apache-2.0
// The form of a value in etcd, which README.md describes: a mark, the expiry, the etag of a touched value, the mtime,
// the user's meta, and the value's bytes. The expiry follows the mark, so that etcd itself can compare it: of two
// records the one that expires earlier is the lesser text. A value without the mark is another program's, and is the
// whole text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace etcd {

struct Record {
  std::int64_t mtime = 0, expiry = 0; ///< 0: unknown; never
  std::int64_t etag = 0;              ///< the revision that a touched value had; 0: it was not touched
  std::string_view user, value;

  std::string text() const;
  bool expired(std::int64_t now) const { return expiry != 0 && expiry <= now; }
};

/// The content of a key in etcd.
struct Found {
  std::string text; ///< as it is in etcd
  std::int64_t revision = 0;
  bool is_there = false;

  /// The views in the record point to `text`. Throws Failure(OMNISTORE_CORRUPT).
  Record record() const;
  /// Returns the revision that is the value's etag.
  std::int64_t etag() const;
};

constexpr std::uint64_t BESIDE_VALUE = 36; ///< bytes of a record besides the user's meta and the value

/// The records that have expired at a moment are greater than the mark, and less than this.
std::string end_of_expired(std::int64_t now);
std::string_view mark();

} // namespace etcd
