// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace omnistore {

/// The place at which a listing over several mounts continues.
struct Cursor {
  std::string mountpoint;
  std::uint32_t store = 0; ///< Mount::fingerprint of the store that gave the driver's cursor
  std::string driver;      ///< the driver's own cursor in it; empty: from the mount's start

  /// Returns the public text: base64url (RFC 4648, without padding) of a version, the mountpoint, a NUL, the
  /// fingerprint (least byte first) and the driver's cursor.
  std::string text() const;
  /// Throws Error(invalid) if the text is no cursor.
  static Cursor parse(std::string_view text);

  /// Returns the cursor of a listing in the order of names: the public text of the last name.
  static std::string of_name(std::string_view name);
  /// Throws Error(invalid) if the text is no such cursor.
  static std::string parse_name(std::string_view text);
};

} // namespace omnistore
