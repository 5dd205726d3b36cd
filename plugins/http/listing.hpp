// SPDX-License-Identifier: Apache-2.0
// Pages of keys from GET base/:, which unstorage's server answers with all keys at once, and this host's with a page
// and a cursor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/value.hpp>

#include "client.hpp"

namespace http {

/// The keys in a JSON array of paths, whatever stands in it else left out. Throws Failure(OMNISTORE_UNSUPPORTED) where
/// the text is none.
std::vector<std::string> keys_in(std::string_view json);

/// What a field X-Skipped, as this host's server gives it, says that the listing went on without: places separated by
/// commas, each "BASE;STATUS;MESSAGE" with BASE and MESSAGE percent-encoded.
std::vector<omnistore::Skip> skipped_in(std::string_view field);

/// One page. Any thread.
omnistore_status list(Client &client, omnistore::Call call, const omnistore_list_request &request,
                      omnistore_page &page);

} // namespace http
