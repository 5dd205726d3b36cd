// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <vector>

#include <omnistore/child.hpp>

#include "storage/emulation/layers.hpp"

namespace omnistore {
namespace {

/// Takes a whole value and passes on the requested part of it.
class RangeSink final : public PassingSink {
public:
  RangeSink(omnistore_sink &to, const omnistore_get_request &request)
      : PassingSink(to), skip_(request.offset), left_(request.length) {
    lend = nullptr; // the value would be lent whole
  }

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    // The room of the sink is for the part, and the driver writes all of the value.
    if (buffer) *buffer = nullptr;
    return PassingSink::on_begin(meta, nullptr);
  }
  omnistore_status on_write(const void *data, std::uint64_t bytes) override {
    const std::uint64_t skipped = std::min(skip_, bytes);
    skip_ -= skipped;
    const std::uint64_t part = std::min(left_, bytes - skipped);
    left_ -= part;
    return part == 0 ? OMNISTORE_OK : PassingSink::on_write(static_cast<const char *>(data) + skipped, part);
  }
  std::uint64_t skip_, left_;
};

class RangeLayer {
public:
  explicit RangeLayer(Functions &stack) : below_(stack) {
    stack.get.bind<&RangeLayer::get>(*this);
    if (stack.get_many) stack.get_many.bind<&RangeLayer::get_many>(*this);
    if (stack.get_changed) stack.get_changed.bind<&RangeLayer::get_changed>(*this);
  }

private:
  static omnistore_get_request all_of(const omnistore_get_request &request) {
    return {sizeof request, request.flags, 0, UINT64_MAX};
  }
  omnistore_status get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                       omnistore_sink *sink) {
    if (is_whole(*request)) return below_.get(call, key, request, sink);
    RangeSink part(*sink, *request);
    const omnistore_get_request all = all_of(*request);
    return below_.get(call, key, &all, &part);
  }
  omnistore_status get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    if (std::all_of(requests, requests + count, [](const auto *one) { return is_whole(*one); }))
      return below_.get_many(call, keys, count, requests, sinks, statuses);
    std::deque<RangeSink> parts;
    std::vector<omnistore_sink *> targets;
    std::deque<omnistore_get_request> wholes;
    std::vector<const omnistore_get_request *> pointers;
    for (std::uint32_t i = 0; i < count; ++i) {
      targets.push_back(&parts.emplace_back(*sinks[i], *requests[i]));
      pointers.push_back(&wholes.emplace_back(all_of(*requests[i])));
    }
    return below_.get_many(call, keys, count, pointers.data(), targets.data(), statuses);
  }
  omnistore_status get_changed(omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                               omnistore_bytes etag, omnistore_sink *sink, std::uint32_t *unchanged) {
    if (is_whole(*request)) return below_.get_changed(call, key, request, etag, sink, unchanged);
    RangeSink part(*sink, *request);
    const omnistore_get_request all = all_of(*request);
    return below_.get_changed(call, key, &all, etag, &part, unchanged);
  }

  const Functions below_;
};

} // namespace

Layer stack_ranges(Functions &stack) { return std::make_shared<RangeLayer>(stack); }

} // namespace omnistore
