// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <omnistore/child.hpp>

#include "storage/call.hpp"

namespace omnistore {

/// The call for a part of a batch, or for one item: it passes failures on for the item's place in the whole batch.
class ItemCall : public WrappedCall {
public:
  ItemCall(omnistore_call *outer, std::uint32_t from) : WrappedCall(Call(outer), fail_), from_(from) {}

  /// Returns false if the batch's time is up. The item then has a message that says so.
  bool in_time() {
    if (remaining(this) > 0) return true;
    ::omnistore::fail(this, OMNISTORE_UNAVAILABLE, "the batch's time was up before this item's turn", 0,
                      OMNISTORE_NOTHING_DONE);
    return false;
  }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) noexcept {
    const auto &self = *static_cast<ItemCall *>(call);
    self.pass_on(failure->item + self.from_, as_view(failure->message), details_of(*failure));
  }
  const std::uint32_t from_;
};

/// Does the items of a batch one by one: `run(i, call)` returns the item's status.
template <typename Run>
omnistore_status one_by_one(omnistore_call *call, std::uint32_t count, omnistore_status *statuses, Run run) {
  for (std::uint32_t i = 0; i < count; ++i) {
    ItemCall item(call, i);
    statuses[i] = item.in_time() ? run(i, static_cast<omnistore_call *>(&item)) : OMNISTORE_UNAVAILABLE;
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
