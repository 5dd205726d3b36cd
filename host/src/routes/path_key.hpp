// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace omnistore::routes {

/// Reads the key or base that a URL's path names. As in unstorage's server, a path that ends in '/' or ':' is a base.
///
/// Percent escapes are decoded once. '/', ':' and '\' separate segments, escaped or not, since a key holds none of
/// them, and a run of them counts as one. Writes the normalised key to `key`, without a ':' at its end. Returns an
/// error message, or null.
const char *decode_key(std::string_view path, std::string &key, bool &is_base);

} // namespace omnistore::routes
