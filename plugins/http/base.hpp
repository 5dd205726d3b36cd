// SPDX-License-Identifier: Apache-2.0
// Where the values are, as the option `base` says it, and where a key lies there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace http {

struct Base {
  std::string url;               ///< without a user and without a '/' at its end
  std::string shown;             ///< "example.org:443", for messages
  std::vector<std::string> path; ///< the segments of the url's path, decoded
  bool has_login = false;
  std::string user, password;
};

/// Throws Failure(OMNISTORE_INVALID) that says what is wrong, without a word of the url that might be a secret.
Base parse_base(const std::string &text);

/// Scheme, host and port of a url, to tell whether two name the same server; empty: it is none of http or https.
std::string server_of(const std::string &url);

/// A key's path below the base, "a/b%20c" for a:b c. Escaped is what unstorage's client escapes, since its server keeps
/// the escapes as part of the key.
std::string path_of(std::string_view key);

/// A parameter of a query.
std::string escaped(std::string_view text);

/// Whether a host can ask for this key.
bool is_key(std::string_view text);

bool is_utf8(std::string_view text);

} // namespace http
