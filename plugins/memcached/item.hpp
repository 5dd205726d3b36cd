// SPDX-License-Identifier: Apache-2.0
// How a value lies in memcached: the name of its key, and its bytes.
//
// A value without an expiry and without user meta is stored as it is, with the flags 0. Any other one has a header
// before it, and the flags `with_header`: the expiry in milliseconds since 1970 (8 bytes, 0: none), the size of the
// user meta (4 bytes), both with the lowest byte first, and the user meta.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace memcached_driver {

inline constexpr std::uint32_t with_header = 0x6F6D6E69; ///< "omni"
inline constexpr std::size_t header_size = 12;

/// Returns the name of a key: the prefix and the key. Bytes that memcached takes in no name, and '%', are written as
/// '%' and two hexadecimal digits. A name of more than 250 bytes is cut, and "%#" with the SHA-256 of the whole
/// follows.
std::string name_of(std::string_view prefix, std::string_view key);

/// An item of memcached as bytes.
struct Item {
  std::string_view value; ///< all of it, if there is no header
  std::int64_t expiry = 0;
  std::string_view user = {};

  bool has_header() const { return expiry != 0 || !user.empty(); }
  std::size_t size() const { return value.size() + (has_header() ? header_size + user.size() : 0); }
  std::uint32_t flags() const { return has_header() ? with_header : 0; }
  /// Returns the bytes. They lie in `space` if there is a header.
  std::string_view bytes(std::string &space) const;
  /// Returns the time of the expiry for memcached: seconds, and later than the expiry itself, which the reader checks.
  std::int64_t seconds() const;

  /// Reads an item. Other flags than with_header are those of another program: all bytes are its value. Returns nullopt
  /// if the header is not whole.
  static std::optional<Item> parse(std::string_view bytes, std::uint32_t flags);
};

/// Returns a value's etag: its SHA-1 as 40 hexadecimal digits, as that of the driver `redis`.
std::string etag_of(std::string_view value);

} // namespace memcached_driver
