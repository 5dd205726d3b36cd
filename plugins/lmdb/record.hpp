// SPDX-License-Identifier: Apache-2.0
// The content of the database: a value's record, and its entry in the index of expiries.
//
// `values`: key -> 4 bytes form (1), 4 bytes size of the user meta, 8 bytes version, 8 bytes mtime, 8 bytes expiry
//           (0: never), all in the machine's byte order, then the user meta, then the value
// `expiries`: 8 bytes expiry and 8 bytes version, both with the highest byte first -> key
// `about`: "schema" -> 4 bytes, the number of this layout
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <lmdb.h>

#include <omnistore/driver.h>

namespace lmdb {

constexpr std::uint32_t SCHEMA = 1;

struct Head {
  std::uint32_t form = 1, user_size = 0;
  std::uint64_t version = 0;
  std::int64_t mtime = 0, expiry = 0;

  bool is_live(std::int64_t now) const noexcept { return expiry == 0 || expiry > now; }
};
static_assert(sizeof(Head) == 32);

/// A record as it lies in the map: its views are valid as long as the transaction.
struct Record {
  Head head;
  std::string_view user, value;

  /// Throws Failure if the bytes are no record.
  explicit Record(const MDB_val &bytes);
};

/// How many bytes a record takes.
std::uint64_t record_size(std::uint64_t user, std::uint64_t value);
/// Writes a record into room of that size.
void write_record(void *into, const Head &head, std::string_view user, std::string_view value);

/// A record's key in the index.
using ExpiryKey = std::array<unsigned char, 16>;
ExpiryKey expiry_key(const Head &head);
std::int64_t expiry_of(const MDB_val &key);

inline MDB_val val(std::string_view bytes) { return {bytes.size(), const_cast<char *>(bytes.data())}; }
inline MDB_val val(ExpiryKey &key) { return {key.size(), key.data()}; }
inline std::string_view view(const MDB_val &value) { return {static_cast<const char *>(value.mv_data), value.mv_size}; }

} // namespace lmdb
