// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/coherence.hpp>
#include <omnistore/driver.h>

namespace cache {

/// The facts about a key's copy, besides its bytes. Times are in Unix milliseconds.
struct Record {
  std::int64_t checked = 0; ///< the time of the last call of the origin
  bool absent = false;      ///< the origin had no such key, and there is no copy
  bool doubtful = false;    ///< a write may have changed the origin since: a call must come before the copy is used
  std::string of;           ///< the state of the copy that this record describes (state_of)
  std::string etag;         ///< of the origin; empty: it gave none
  std::int64_t mtime = 0, expiry = 0; ///< of the origin; 0: unknown, or never
  bool settled = false;               ///< the mtime was so old that a later change must have another mtime
  std::uint64_t size = OMNISTORE_UNKNOWN_SIZE;
  /// The digest of the user meta, which is stored with the copy; empty: the origin did not give it with the value.
  std::string user;

  // In memory only.
  omnistore::Coherence::Ticket ticket; ///< of the request that gave or confirmed the copy, if the cache is coherent
  bool own_write = false;              ///< this cache wrote the value, so the next event may be that of the write

  /// Takes over the meta that the origin gave. `asked` is the time of the request.
  void take(const omnistore_meta &origin, std::int64_t asked);
  /// Returns true if the origin's meta shows that its value is still the same: by the etag, or by size and mtime.
  bool same(const omnistore_meta &origin) const;

  bool operator==(const Record &) const = default;

  /// Converts it to a JSON object, and back. parse() returns nullopt for any other text.
  std::string text() const;
  static std::optional<Record> parse(std::string_view text);
};

/// Returns a hash of the user meta as text, which is never empty.
std::string digest_of(std::string_view user);

/// Returns a text that differs for two states of a copy: its etag, or mtime and size if the store gives no etag.
std::string state_of(const omnistore_meta &copy);

/// Returns the key of a record in the copies' store. It ends in '$', so that no listing shows it.
std::string record_key(std::string_view key);
/// Returns the base of the records for the keys under a base.
std::string record_base(std::string_view base);
/// Returns true for a key that could be that of a record. Such a key is never copied.
bool is_reserved(std::string_view key);

} // namespace cache
