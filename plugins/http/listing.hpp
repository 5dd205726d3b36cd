// SPDX-License-Identifier: Apache-2.0
// Pages of keys from GET base/:, which unstorage's server answers with all keys at once, and this host's with a page
// and a cursor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>

#include "client.hpp"

namespace http {

/// The keys in a JSON array of paths, whatever stands in it else left out. Throws Failure(OMNISTORE_UNSUPPORTED) where
/// the text is none.
std::vector<std::string> keys_in(std::string_view json);

/// One page. Any thread.
omnistore_status list(Client &client, omnistore::Call call, const omnistore_list_request &request,
                      omnistore_page &page);

} // namespace http
