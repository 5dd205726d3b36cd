// SPDX-License-Identifier: Apache-2.0
// Batches of a store: as one call if the stack takes it, else item by item.
#include "storage/item_call.hpp"
#include "storage/store.hpp"

namespace omnistore {

omnistore_status Store::get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                 const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                 omnistore_status *statuses) {
  if (!top_.get_many || !keys_fit(keys, count))
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return get(item, keys[i], *requests[i], sinks[i]);
    });
  OperationTimer counts = timer(Meter::read);
  const omnistore_status status = top_.get_many(call, keys, count, requests, sinks, statuses);
  for (std::uint32_t i = 0; i < count; ++i) counts.read(status == OMNISTORE_OK ? statuses[i] : status);
  return status;
}

omnistore_status Store::stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                  const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                  omnistore_status *statuses) {
  if (!top_.stat_many || !keys_fit(keys, count))
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return stat(item, keys[i], *requests[i], sinks[i]);
    });
  OperationTimer counts = timer(Meter::read);
  const omnistore_status status = top_.stat_many(call, keys, count, requests, sinks, statuses);
  for (std::uint32_t i = 0; i < count; ++i) counts.read(status == OMNISTORE_OK ? statuses[i] : status);
  return status;
}

omnistore_status Store::set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                 const omnistore_set_request *const *requests, omnistore_sink *const *results,
                                 omnistore_status *statuses) {
  const bool fit = keys_fit(keys, count) && std::all_of(requests, requests + count, [&](const auto *request) {
                     return !request->source && fits(*request);
                   });
  if (!top_.set_many || !fit)
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return set(item, keys[i], *requests[i], results ? results[i] : nullptr);
    });
  OperationTimer counts = timer(Meter::write);
  const omnistore_status status = top_.set_many(call, keys, count, requests, results, statuses);
  for (std::uint32_t i = 0; i < count; ++i)
    counts.write(status == OMNISTORE_OK ? statuses[i] : status, Count::writes, requests[i]->value.size);
  return status;
}

omnistore_status Store::remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                    const omnistore_remove_request *const *requests, omnistore_status *statuses) {
  const bool fit = keys_fit(keys, count) && std::all_of(requests, requests + count, [](const auto *request) {
                     return request->condition <= OMNISTORE_IF_MATCH;
                   });
  if (!top_.remove_many || !fit)
    return one_by_one(call, count, statuses,
                      [&](std::uint32_t i, omnistore_call *item) { return remove(item, keys[i], *requests[i]); });
  OperationTimer counts = timer(Meter::write);
  const omnistore_status status = top_.remove_many(call, keys, count, requests, statuses);
  for (std::uint32_t i = 0; i < count; ++i) counts.write(status == OMNISTORE_OK ? statuses[i] : status, Count::removes);
  return status;
}

} // namespace omnistore
