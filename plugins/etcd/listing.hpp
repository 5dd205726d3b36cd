// SPDX-License-Identifier: Apache-2.0
// The keys under a base, by sorted pages without values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>

#include "cluster.hpp"

namespace etcd {

omnistore_status list(omnistore::Call call, Cluster &cluster, const std::string &prefix, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page);

/// Removes all keys under a base, by ranges. `removed` may be null.
omnistore_status clear(omnistore::Call call, Cluster &cluster, const std::string &prefix, std::string_view base,
                       omnistore_page *removed);

} // namespace etcd
