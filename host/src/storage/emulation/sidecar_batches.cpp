// SPDX-License-Identifier: Apache-2.0
// Batches over sidecars, for a driver that keeps expiries: what the sidecars add is user meta.
#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "storage/emulation/sidecar_layer.hpp"
#include "storage/emulation/sidecar_sink.hpp"
#include "storage/emulation/stripes.hpp"
#include "storage/item_call.hpp"

namespace omnistore {
namespace {

bool any_wants_user(const omnistore_get_request *const *requests, std::uint32_t count) {
  return std::any_of(requests, requests + count,
                     [](const auto *one) { return (one->flags & OMNISTORE_GET_USER) != 0; });
}

} // namespace

/// The sidecars in one batch, the values in another.
omnistore_status SidecarLayer::get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                        const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                        omnistore_status *statuses) {
  if (!keeps_user_ || !any_wants_user(requests, count))
    return below_.get_many(call, keys, count, requests, sinks, statuses);
  std::vector<Sidecar> sidecars(count);
  std::vector<Sidecars::Unreadable> unreadable; // each fails its own item only
  const auto wants_user = [&](std::uint32_t i) { return (requests[i]->flags & OMNISTORE_GET_USER) != 0; };
  if (may_have_user_.load(std::memory_order_acquire)) {
    const omnistore_status read = sidecars_.read_many(call, keys, count, wants_user, sidecars, unreadable);
    if (read != OMNISTORE_OK) return read;
  }
  std::deque<omnistore_get_request> plain;
  std::vector<const omnistore_get_request *> pointers;
  std::deque<SidecarSink> with_sidecars;
  std::vector<omnistore_sink *> targets;
  for (std::uint32_t i = 0; i < count; ++i) {
    omnistore_get_request &request = plain.emplace_back(*requests[i]);
    if (wants_user(i)) request.flags = (request.flags & ~OMNISTORE_GET_USER) | OMNISTORE_GET_META;
    pointers.push_back(&request);
    sidecars[i].expiry = 0; // the driver keeps its own
    targets.push_back(&with_sidecars.emplace_back(*sinks[i], *requests[i], sidecars[i], wants_user(i), false));
  }
  const omnistore_status status = below_.get_many(call, keys, count, pointers.data(), targets.data(), statuses);
  if (status != OMNISTORE_OK) return status;
  for (const auto &[item, reason] : unreadable)
    if (statuses[item] == OMNISTORE_OK) statuses[item] = reason;
  return status;
}

omnistore_status SidecarLayer::stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                         const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                         omnistore_status *statuses) {
  if (!keeps_user_ || !any_wants_user(requests, count))
    return below_.stat_many(call, keys, count, requests, sinks, statuses);
  return one_by_one(call, count, statuses,
                    [&](std::uint32_t i, omnistore_call *item) { return stat(item, keys[i], requests[i], sinks[i]); });
}

omnistore_status SidecarLayer::set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                        const omnistore_set_request *const *requests, omnistore_sink *const *results,
                                        omnistore_status *statuses) {
  if (keeps_user_ && std::any_of(requests, requests + count, [](const auto *one) { return one->user.size != 0; }))
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return set(item, keys[i], requests[i], results ? results[i] : nullptr);
    });
  if (!may_have_user_.load(std::memory_order_acquire))
    return below_.set_many(call, keys, count, requests, results, statuses);
  std::vector<Stripes::Lock> locks;
  if (!stripes_.lock(call, keys, count, locks)) return OMNISTORE_UNAVAILABLE;
  // Without etags nothing shows whose meta it is: that of the old values is removed first.
  omnistore_status status = has_etags_ ? OMNISTORE_OK : sidecars_.remove_many(call, keys, count);
  if (status == OMNISTORE_OK) status = below_.set_many(call, keys, count, requests, results, statuses);
  LaterStepCall rest{Call(call)};
  if (status == OMNISTORE_OK && has_etags_) status = sidecars_.remove_many(&rest, keys, count);
  return status;
}

omnistore_status SidecarLayer::remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                           const omnistore_remove_request *const *requests,
                                           omnistore_status *statuses) {
  if (!may_have_user_.load(std::memory_order_acquire)) return below_.remove_many(call, keys, count, requests, statuses);
  // A sidecar is removed in the same batch as its value, which is wrong for a value that may stay.
  if (std::any_of(requests, requests + count, [](const auto *one) { return one->condition == OMNISTORE_IF_MATCH; }))
    return one_by_one(call, count, statuses,
                      [&](std::uint32_t i, omnistore_call *item) { return remove(item, keys[i], requests[i]); });
  std::vector<Stripes::Lock> locks;
  if (!stripes_.lock(call, keys, count, locks)) return OMNISTORE_UNAVAILABLE;
  const std::vector<std::string> names = sidecars_.names(keys, count);
  std::vector<omnistore_bytes> all(keys, keys + count);
  for (const std::string &name : names) all.push_back(bytes(name));
  std::vector<const omnistore_remove_request *> all_requests(requests, requests + count);
  all_requests.resize(all.size(), &plain_remove);
  std::vector<omnistore_status> all_statuses(all.size(), OMNISTORE_INTERNAL);
  const omnistore_status status = below_.remove_many(call, all.data(), static_cast<std::uint32_t>(all.size()),
                                                     all_requests.data(), all_statuses.data());
  std::copy_n(all_statuses.begin(), count, statuses);
  return status;
}

} // namespace omnistore
