// SPDX-License-Identifier: Apache-2.0
// Etags in HTTP's form, and in the form of a meta.
#pragma once

#include <string>
#include <string_view>

namespace http {

/// Returns the etag of a header's value: `"abc"` gives abc, the weak `W/"abc"` gives W/abc. A value that does not fit
/// into a meta (over 64 bytes, or with odd characters) gives '#' and a hash of it. Empty: the header has no etag.
std::string etag_of(std::string_view header);

/// Returns the value of If-None-Match or If-Match for an etag. Empty: the etag is a hash, which a server does not know.
std::string header_of(std::string_view etag);

} // namespace http
