// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <omnistore/child.hpp>

#include "storage/call.hpp"

namespace omnistore {

/// Returns false if the time of a call for one item is up. The item then has a message that says so.
inline bool in_time(omnistore_call *item) {
  if (item->remaining(item) > 0) return true;
  fail(item, OMNISTORE_UNAVAILABLE, "the batch's time was up before this item's turn", 0, OMNISTORE_NOTHING_DONE);
  return false;
}

/// Does the items of a batch one by one: `run(i, call)` returns the item's status.
template <typename Run>
omnistore_status one_by_one(omnistore_call *call, std::uint32_t count, omnistore_status *statuses, Run run) {
  for (std::uint32_t i = 0; i < count; ++i) {
    ItemCall item(Call(call), i);
    statuses[i] = in_time(&item) ? run(i, static_cast<omnistore_call *>(&item)) : OMNISTORE_UNAVAILABLE;
  }
  return OMNISTORE_OK;
}

/// Runs a batch in parts of at most `most` items, or whole if `most` is 0. `part(from, count)` does the items of a
/// part.
template <typename Part>
omnistore_status in_parts(std::uint32_t count, std::uint32_t most, Part part) {
  if (most == 0) most = count;
  for (std::uint32_t from = 0; from < count; from += most) {
    const omnistore_status status = part(from, std::min(most, count - from));
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

} // namespace omnistore
