// SPDX-License-Identifier: Apache-2.0
// Etags as HTTP has them, and as a meta has them.
#pragma once

#include <string>
#include <string_view>

namespace http {

/// Of a field's value: `"abc"` gives abc, the weak `W/"abc"` gives W/abc. One that does not fit into a meta (over 64
/// bytes, or with odd characters) gives '#' and a hash of it. Empty: it is none.
std::string etag_of(std::string_view field);

/// What If-None-Match asks with. Empty: the etag is a hash, which a server does not know.
std::string field_of(std::string_view etag);

} // namespace http
