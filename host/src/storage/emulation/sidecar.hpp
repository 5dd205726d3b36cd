// SPDX-License-Identifier: Apache-2.0
// The text that the host keeps for a value under `key$`, if the driver keeps no expiries or no user meta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace omnistore {

/// The value of `key$`. As a text it is a JSON object, `{"expiry":MS}`, if there is only an expiry. With user meta the
/// first line is an object that begins with `{"omnistore":1`, and the user's bytes follow it unchanged. Any other text
/// was written by another program: it is user meta if it is a JSON object, the form of unstorage.
struct Sidecar {
  std::int64_t expiry = 0; ///< Unix milliseconds; 0: none
  std::string of;          ///< the state (state_of) of the value that `user` belongs to; empty: not known
  std::string user;

  static Sidecar parse(std::string text);
  /// Returns an empty text if there is nothing to keep.
  std::string text() const;
};

/// Returns a text that differs between two values of a key: the etag, or mtime and size if the driver gives no etag. It
/// is empty if the driver gives neither.
std::string state_of(const omnistore_meta &meta);

} // namespace omnistore
