// SPDX-License-Identifier: Apache-2.0
// The layer `overlay`: several stores as one. README.md says what it does.
#include "overlay.hpp"

#include <algorithm>

#include <omnistore_schema.h>

namespace overlay {

namespace {

constexpr std::uint64_t longest_key = OMNISTORE_MAX_KEY_SIZE; ///< the longest key of any store
/// The bytes by which the key of a record is longer than the user's key (records/keys.hpp), and some more.
constexpr std::uint64_t record_room = 32;

} // namespace

Overlay::Overlay(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
                 std::span<const omnistore_store *const> children, Call call)
    : layers_(host, options, children, call) {
  state_traits(traits);
}

std::string Overlay::stats(Call) {
  std::string counters = "\"promotions\":" + std::to_string(reader_.promotions()), gauges;
  if (layers_.coherence) {
    counters += layers_.coherence->counters(layers_.bypasses);
    gauges = layers_.coherence->gauges();
  }
  return "{\"counters\":{" + counters + "},\"gauges\":{" + gauges + "}}";
}

void Overlay::state_traits(omnistore_traits &traits) {
  const auto every = [&](std::uint64_t capability) {
    return std::all_of(layers_.all.begin(), layers_.all.end(),
                       [&](const Layer &l) { return l.store.child.can(capability); });
  };
  const auto every_written = [&](std::uint64_t capability) {
    return std::all_of(layers_.written.begin(), layers_.written.end(),
                       [&](std::uint32_t i) { return layers_.all[i].store.child.can(capability); });
  };
  traits.capabilities = OMNISTORE_CAN_RANGE | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE |
                        OMNISTORE_CAN_LIST_FOLDERS;
  for (const std::uint64_t capability : {OMNISTORE_NESTS, OMNISTORE_CAN_TTL, OMNISTORE_CAN_META})
    if (every_written(capability)) traits.capabilities |= capability;
  if (every(OMNISTORE_CAN_ETAG)) traits.capabilities |= OMNISTORE_CAN_ETAG;
  if (layers_.never_blocks) traits.capabilities |= OMNISTORE_NEVER_BLOCKS;
  if (layers_.written.size() == 1 && every_written(OMNISTORE_CAN_STREAM)) traits.capabilities |= OMNISTORE_CAN_STREAM;
  for (const Layer &layer : layers_.all) {
    if (layer.shared()) traits.capabilities |= OMNISTORE_SHARED;
    if (layer.written && !layer.takes_writes()) traits.capabilities |= OMNISTORE_READS_ONLY;
  }
  traits.capabilities |= conditions_.guaranteed();

  const auto limit = [](std::uint64_t &most, std::uint64_t other) {
    if (other != 0 && (most == 0 || other < most)) most = other;
  };
  // A written value is as durable as the best layer of `writeTo` that has no gap above it. A removal is as durable as
  // the worst layer that records it.
  std::uint32_t values_kept = 0, removals_kept = OMNISTORE_KEEPS_POWER;
  for (std::uint32_t place = 0; place < layers_.written.size(); ++place) {
    const std::uint32_t i = layers_.written[place];
    const omnistore_traits &own = layers_.all[i].store.child.traits();
    limit(traits.max_key_size, (own.max_key_size == 0 ? longest_key : own.max_key_size) - record_room);
    limit(traits.max_value_size, own.max_value_size);
    traits.min_ttl = std::max(traits.min_ttl, own.min_ttl);
    traits.ttl_grain = std::max(traits.ttl_grain, own.ttl_grain);
    if (i == layers_.written.front() + place) values_kept = std::max(values_kept, own.keeps);
    if (layers_.all[i].records_in) removals_kept = std::min(removals_kept, own.keeps);
  }
  limit(traits.max_key_size, longest_key - record_room);
  traits.keeps = std::min(values_kept, removals_kept);
}

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = OMNISTORE_PARALLEL;
  traits.order = OMNISTORE_ORDER_KEYS;
  return traits;
}();

} // namespace overlay

OMNISTORE_PLUGIN(omnistore::driver<overlay::Overlay>("overlay", "1.0.0", "Several stores as one, read in order",
                                                     OMNISTORE_OPTIONS_SCHEMA, overlay::driver_traits, 1,
                                                     overlay::max_layers))
