// SPDX-License-Identifier: Apache-2.0
// Listings, by pages of ListObjectsV2.
#pragma once

#include <functional>
#include <string>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "bucket.hpp"
#include "xml.hpp"

namespace s3 {

/// Fetches the objects and common prefixes after `position` that start with `prefix`.
Listing fetch(Bucket &bucket, omnistore::Call call, const std::string &prefix, const std::string &position,
              std::uint32_t limit, bool folders);

omnistore_status list(Bucket &bucket, omnistore::Call call, const omnistore_list_request &request,
                      omnistore_page &page);

/// The least name of an object, exclusive, whose key may be `start` or more; empty: any may. S3 sorts '/' before the
/// digits, and Omnistore sorts ':' after them, so a bound holds up to the first digit of a key.
std::string position_before(const std::string &base, std::string_view start);
/// The least name after which no object's key is less than `end`; empty: there is none.
std::string bound_after(const std::string &base, std::string_view end);

} // namespace s3
