// SPDX-License-Identifier: Apache-2.0
// A page of a listing: the keys in the order of their bytes. Keys below the requested depth are skipped by a new seek,
// without visiting it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "pool.hpp"

namespace sqlite {

omnistore_status list(omnistore::Call call, Pool &readers, std::int64_t now, bool gives_etags,
                      const omnistore_list_request &request, omnistore_page &page);

/// The first text that lies after all keys that start with `base`, which ends in ':' or is empty.
std::string end_of(std::string_view base);

} // namespace sqlite
