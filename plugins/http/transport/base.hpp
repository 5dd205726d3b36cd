// SPDX-License-Identifier: Apache-2.0
// The URL of the option `base`, and the paths of keys below it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace http {

struct Base {
  std::string url;               ///< without a user and without a '/' at its end
  std::string socket = {};       ///< the path of a unix socket that leads there; empty: none
  std::string shown;             ///< "example.org:443", for messages
  std::vector<std::string> path; ///< the segments of the url's path, decoded
  bool has_login = false;
  std::string user, password;
};

/// Throws Failure(OMNISTORE_INVALID) that says what is wrong, without a word of the url that might be a secret.
Base parse_base(const std::string &text);

/// Returns scheme, host and port of a url, to compare servers; empty: it is neither http nor https.
std::string server_of(const std::string &url);

/// Returns a key's path below the base, "a/b%20c" for a:b c. It escapes the characters that unstorage's client escapes,
/// since unstorage's server keeps the escapes as part of the key.
std::string path_of(std::string_view key);

/// Returns the text escaped for a query.
std::string escaped(std::string_view text);

/// Returns true if a host can name this key in a request.
bool is_key(std::string_view text);

bool is_utf8(std::string_view text);

} // namespace http
