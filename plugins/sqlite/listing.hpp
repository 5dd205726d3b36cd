// SPDX-License-Identifier: Apache-2.0
// A page of a listing, in the order of keys. Keys below the requested depth are skipped, by one seek for each folder.
#pragma once

#include <cstdint>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "pool.hpp"

namespace sqlite {

omnistore_status list(omnistore::Call call, Pool &readers, std::int64_t now, bool gives_etags,
                      const omnistore_list_request &request, omnistore_page &page);

} // namespace sqlite
