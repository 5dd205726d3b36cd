// SPDX-License-Identifier: Apache-2.0
// A page of a listing: the keys in the order of their bytes. Keys below the requested depth are skipped by a new seek,
// without visiting it.
#pragma once

#include <cstdint>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "environment.hpp"

namespace lmdb {

omnistore_status list(omnistore::Call call, Environment &environment, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page);

} // namespace lmdb
