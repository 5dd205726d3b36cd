// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <omnistore/child.hpp>

#include "storage/emulation/layers.hpp"
#include "storage/emulation/stripes.hpp"
#include "storage/item_call.hpp"

namespace omnistore {
namespace {

class ConditionLayer {
public:
  ConditionLayer(Functions &stack, Stripes *stripes, std::uint64_t capabilities)
      : below_(stack), stripes_(stripes), capabilities_(capabilities) {
    stack.set.bind<&ConditionLayer::set>(*this);
    stack.remove.bind<&ConditionLayer::remove>(*this);
    if (stripes_) {
      // Each write takes its own lock.
      stack.set_many.clear();
      stack.remove_many.clear();
    }
    if (stack.set_many) stack.set_many.bind<&ConditionLayer::set_many>(*this);
    if (stack.remove_many) stack.remove_many.bind<&ConditionLayer::remove_many>(*this);
  }

private:
  bool is_native(std::uint32_t condition) const {
    switch (condition) {
    case OMNISTORE_ALWAYS:
      return true;
    case OMNISTORE_IF_ABSENT:
      return capabilities_ & OMNISTORE_CAN_IF_ABSENT;
    case OMNISTORE_IF_PRESENT:
      return capabilities_ & OMNISTORE_CAN_IF_PRESENT;
    default: // OMNISTORE_IF_MATCH: a Store lets no other through
      return capabilities_ & OMNISTORE_CAN_IF_MATCH;
    }
  }
  /// A remove needs no look to find that there is nothing to remove.
  bool is_native_remove(std::uint32_t condition) const {
    return condition == OMNISTORE_IF_PRESENT || is_native(condition);
  }

  /// Under the key's lock, for a condition that the driver does not keep.
  omnistore_status check(omnistore_call *call, omnistore_bytes key, std::uint32_t condition, omnistore_bytes etag) {
    if (!stripes_)
      return fail(call, OMNISTORE_UNSUPPORTED,
                  "the driver keeps no such condition, and others than this host may write to its backend");
    ValueSink found;
    const omnistore_status status = below_.stat(call, key, &whole_meta, &found);
    if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
    const bool present = status == OMNISTORE_OK;
    if (condition == OMNISTORE_IF_ABSENT) return present ? OMNISTORE_CONFLICT : OMNISTORE_OK;
    if (condition == OMNISTORE_IF_PRESENT) return present ? OMNISTORE_OK : OMNISTORE_CONFLICT;
    if (present && found.etag.empty()) return fail(call, OMNISTORE_UNSUPPORTED, "the driver gives no etags to compare");
    return present && found.etag == as_view(etag) ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }

  omnistore_status set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                       omnistore_sink *result) {
    Stripes::Lock lock;
    if (stripes_ && !(lock = stripes_->lock(call, view(key)))) return OMNISTORE_UNAVAILABLE;
    if (is_native(request->condition)) return below_.set(call, key, request, result);
    if (const omnistore_status status = check(call, key, request->condition, request->etag); status != OMNISTORE_OK)
      return status;
    omnistore_set_request plain = *request;
    plain.condition = OMNISTORE_ALWAYS;
    return below_.set(call, key, &plain, result);
  }
  omnistore_status remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request *request) {
    Stripes::Lock lock;
    if (stripes_ && !(lock = stripes_->lock(call, view(key)))) return OMNISTORE_UNAVAILABLE;
    if (is_native_remove(request->condition)) return below_.remove(call, key, request);
    if (const omnistore_status status = check(call, key, request->condition, request->etag); status != OMNISTORE_OK)
      return status;
    omnistore_remove_request plain = *request;
    plain.condition = OMNISTORE_ALWAYS;
    return below_.remove(call, key, &plain);
  }
  omnistore_status set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_set_request *const *requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    if (std::all_of(requests, requests + count, [this](const auto *one) { return is_native(one->condition); }))
      return below_.set_many(call, keys, count, requests, results, statuses);
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return set(item, keys[i], requests[i], results ? results[i] : nullptr);
    });
  }
  omnistore_status remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                               const omnistore_remove_request *const *requests, omnistore_status *statuses) {
    if (std::all_of(requests, requests + count, [this](const auto *one) { return is_native_remove(one->condition); }))
      return below_.remove_many(call, keys, count, requests, statuses);
    return one_by_one(call, count, statuses,
                      [&](std::uint32_t i, omnistore_call *item) { return remove(item, keys[i], requests[i]); });
  }

  const Functions below_;
  Stripes *const stripes_;
  const std::uint64_t capabilities_;
};

} // namespace

Layer stack_conditions(Functions &stack, Stripes *stripes, std::uint64_t capabilities) {
  return std::make_shared<ConditionLayer>(stack, stripes, capabilities);
}

} // namespace omnistore
