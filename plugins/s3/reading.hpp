// SPDX-License-Identifier: Apache-2.0
// Reads of one object.
#pragma once

#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "bucket.hpp"

namespace s3 {

/// Returns the GET of what a request wants. If the object's etag is `known` (not empty), the server sends no value.
Request get_request(const Bucket &bucket, std::string_view key, const omnistore_get_request &request,
                    std::string_view known = {});

/// The functions are those of driver.h and ext/revalidate.h.
omnistore_status get_changed(Bucket &bucket, omnistore::Call call, std::string_view key,
                             const omnistore_get_request &request, std::string_view known, omnistore_sink &sink,
                             bool &unchanged);
omnistore_status stat(Bucket &bucket, omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                      omnistore_sink &sink);

/// Passes the meta in the response to a HEAD on.
omnistore_status give_meta(const Bucket &bucket, const http::Response &response, const omnistore_get_request &request,
                           omnistore_sink &sink);

} // namespace s3
