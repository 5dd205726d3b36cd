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

/// Returns the keys in a JSON array of paths; it leaves out items that are no paths. With `folders` a path may end in a
/// '/', and the key then ends in a ':'. Throws Failure(OMNISTORE_UNSUPPORTED) if the text is not an array.
std::vector<std::string> keys_in(std::string_view json, bool folders = false);

/// Returns the places in a header X-Skipped, which an Omnistore host sends: the listing left them out. They are
/// separated by commas, each "BASE;STATUS;MESSAGE" with BASE and MESSAGE percent-encoded.
std::vector<omnistore::Skip> skipped_in(std::string_view header);

/// Lists one page. `is_omnistore`: the server honours a depth, and if the base has no path also a range and folders.
/// Any thread.
omnistore_status list(Client &client, omnistore::Call call, const omnistore_list_request &request, bool is_omnistore,
                      omnistore_page &page);

} // namespace http
