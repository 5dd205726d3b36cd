// SPDX-License-Identifier: Apache-2.0
// Removals of many objects, by DeleteObjects.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/driver.hpp>

#include "bucket.hpp"
#include "xml.hpp"

namespace s3 {

/// Removes objects, 1000 in each request. Returns those that the server could not remove. A failure of a whole request
/// throws Failure, and the objects of the requests before are gone then.
std::vector<Undeleted> delete_objects(Bucket &bucket, omnistore::Call call, const std::vector<std::string> &names);

/// Removes every key under a base.
omnistore_status clear(Bucket &bucket, omnistore::Call call, const omnistore_clear_request &request,
                       omnistore_page *removed);

} // namespace s3
