// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace cache {

/// What is known of a key's copy beside its bytes. Times in Unix milliseconds.
struct Record {
  std::int64_t checked = 0;           ///< when the origin was last asked
  bool absent = false;                ///< it had no such key: there is no copy
  bool doubtful = false;              ///< a write may have changed the origin since: it is asked before this is used
  std::string of;                     ///< the state of the copy that this is about (state_of)
  std::string etag;                   ///< the origin's; empty: it gave none
  std::int64_t mtime = 0, expiry = 0; ///< the origin's; 0: unknown, and never
  bool settled = false;               ///< the mtime was so old that a later change has another
  std::uint64_t size = OMNISTORE_UNKNOWN_SIZE;
  /// The digest of the origin's user meta, which lies with the copy; empty: the origin did not give it with the value.
  std::string user;

  /// Takes over what the origin told of the value when it was asked at `asked`.
  void take(const omnistore_meta &origin, std::int64_t asked);
  /// Whether the origin's meta says that its value is still this one: by the etag, or by size and mtime.
  bool same(const omnistore_meta &origin) const;

  bool operator==(const Record &) const = default;

  /// One JSON object, and back; nullopt for another text.
  std::string text() const;
  static std::optional<Record> parse(std::string_view text);
};

/// A number that tells one user meta from another, as text; not empty.
std::string digest_of(std::string_view user);

/// What tells one state of a copy from another: its etag, or where the store gives none mtime and size.
std::string state_of(const omnistore_meta &copy);

/// Where a record lies among the copies. It ends in '$', so that no listing shows it.
std::string record_key(std::string_view key);
/// The base under which the records of a base's keys lie.
std::string record_base(std::string_view base);
/// Whether a key could be taken for a record's. It is not kept.
bool is_reserved(std::string_view key);

} // namespace cache
