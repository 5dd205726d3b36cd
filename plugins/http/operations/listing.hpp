// SPDX-License-Identifier: Apache-2.0
// Pages of keys from GET base/:. unstorage's server responds with all keys at once, an Omnistore host with a page and a
// cursor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/value.hpp>

#include "transport/client.hpp"

namespace http {

/// Returns the keys in a JSON array of paths; it leaves out items that are no paths. Throws
/// Failure(OMNISTORE_UNSUPPORTED) if the text is not an array.
std::vector<std::string> keys_in(std::string_view json);

/// Returns the places in a header X-Skipped, which an Omnistore host sends: the listing went on without them. They are
/// separated by commas, each "BASE;STATUS;MESSAGE" with BASE and MESSAGE percent-encoded.
std::vector<omnistore::Skip> skipped_in(std::string_view header);

/// Lists one page. `sends_depth`: the server honours a depth. Any thread.
omnistore_status list(Client &client, omnistore::Call call, const omnistore_list_request &request, bool sends_depth,
                      omnistore_page &page);

} // namespace http
