// SPDX-License-Identifier: Apache-2.0
#include "storage/emulation/stack.hpp"

#include <utility>

namespace omnistore {

EmulationStack::EmulationStack(const Functions &driver, const omnistore_traits &traits, std::uint64_t longest_key,
                               const omnistore_host &host)
    : top_(driver), longest_value_key_(longest_key) {
  const auto can = [&](std::uint64_t all) { return (traits.capabilities & all) == all; };
  const bool writes = !can(OMNISTORE_READS_ONLY);
  const bool keeps_expiries = writes && !can(OMNISTORE_CAN_TTL); // the host, for the driver
  const bool keeps_user = !can(OMNISTORE_CAN_META);
  const bool keeps_conditions =
      writes && !can(OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH);
  const bool locks_conditions = keeps_conditions && !can(OMNISTORE_SHARED);
  locks_writes_ = keeps_expiries || locks_conditions;
  if (locks_writes_ || keeps_user) stripes_.emplace();
  Stripes *const stripes = stripes_ ? &*stripes_ : nullptr;

  const auto add = [&](Layer layer) { layers_.push_back(std::move(layer)); };
  if (!can(OMNISTORE_CAN_RANGE)) add(stack_ranges(top_));
  if (!can(OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS | OMNISTORE_CAN_DEPTH) ||
      traits.order < OMNISTORE_ORDER_KEYS)
    add(stack_parts(top_, traits));
  if (!can(OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META)) add(stack_listings(top_, traits.capabilities));
  if (writes && !top_.clear) add(stack_clears(top_, stripes));
  if (keeps_expiries || keeps_user) {
    sidecars_.emplace(top_, traits, longest_key, *stripes, host);
    if (writes) --longest_value_key_;
  }
  if (keeps_conditions) add(stack_conditions(top_, locks_conditions ? stripes : nullptr, traits.capabilities));
  if (writes && !can(OMNISTORE_CAN_STREAM)) add(stack_streams(top_, traits.max_value_size));
  if (!keeps_expiries && (traits.min_ttl > 1 || traits.ttl_grain > 1)) add(stack_roundings(top_, traits));
  if (!writes) add(stack_read_only(top_));
}

} // namespace omnistore
