// SPDX-License-Identifier: Apache-2.0
// From a request's target to the key or base that it names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace omnistore::server {

/// A request target taken apart. The views point into it.
struct Target {
  std::string_view authority; ///< of "http://host:port/..."; empty: none was named
  std::string_view path;      ///< "/a%20b/c"; "*" of OPTIONS
  std::string_view query;     ///< behind the '?'
};

/// False: it is neither a path nor an absolute URL.
bool split_target(std::string_view target, Target &into);

/// What a path names, as unstorage's server has it: a path that ends in '/' or ':' is a base.
///
/// Percent escapes are decoded once. '/', ':' and '\' separate segments, escaped or not, since a key holds none of
/// them; runs of them count as one. Writes the normalised key (of a base: without a ':' at its end) to `key`.
/// Returns what is wrong with it, or null.
const char *decode_key(std::string_view path, std::string &key, bool &is_base);

/// The decoded value of a query's parameter; nullopt where it is not there. An escape that is none stays as it is.
std::optional<std::string> parameter(std::string_view query, std::string_view name);

/// A whole decimal number within bounds; nullopt: it is none.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least, std::uint64_t most);

} // namespace omnistore::server
