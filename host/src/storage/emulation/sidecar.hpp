// SPDX-License-Identifier: Apache-2.0
// The text that the host keeps of a value under `key$`, for a driver that keeps no expiries or no user meta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace omnistore {

/// The value of `key$`. As a text it is a JSON object, `{"expiry":MS}`, if there is only an expiry. With user meta the
/// first line is an object that begins with `{"omnistore":1`, and the user's bytes follow it as they were given. Any
/// other text was written by another program: it is taken as user meta if it is a JSON object, as unstorage writes it.
struct Sidecar {
  std::int64_t expiry = 0; ///< Unix milliseconds; 0: none
  std::string of;          ///< the state (state_of) of the value that `user` belongs to; empty: not known
  std::string user;

  static Sidecar parse(std::string text);
  /// Empty if there is nothing to keep.
  std::string text() const;
};

/// Another text for another value of a key: its etag, or, if the driver gives none, its mtime and size; empty: the
/// driver gives neither.
std::string state_of(const omnistore_meta &meta);

} // namespace omnistore
