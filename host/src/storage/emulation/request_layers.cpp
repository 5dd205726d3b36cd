// SPDX-License-Identifier: Apache-2.0
// Layers that change no more than the requests of writes.
#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "storage/call.hpp"
#include "storage/emulation/layers.hpp"

namespace omnistore {
namespace {

class ReadOnlyLayer {
public:
  explicit ReadOnlyLayer(Functions &stack) {
    stack.set.bind<&ReadOnlyLayer::set>(*this);
    stack.remove.bind<&ReadOnlyLayer::remove>(*this);
    stack.clear.bind<&ReadOnlyLayer::clear>(*this);
    stack.touch.bind<&ReadOnlyLayer::touch>(*this);
    stack.set_many.clear();
    stack.remove_many.clear();
  }

private:
  omnistore_status set(omnistore_call *, omnistore_bytes, const omnistore_set_request *, omnistore_sink *) {
    return OMNISTORE_READ_ONLY;
  }
  omnistore_status remove(omnistore_call *, omnistore_bytes, const omnistore_remove_request *) {
    return OMNISTORE_READ_ONLY;
  }
  omnistore_status clear(omnistore_call *, const omnistore_clear_request *, omnistore_page *) {
    return OMNISTORE_READ_ONLY;
  }
  omnistore_status touch(omnistore_call *, omnistore_bytes, const omnistore_touch_request *) {
    return OMNISTORE_READ_ONLY;
  }
};

class StreamLayer {
public:
  StreamLayer(Functions &stack, std::uint64_t max_value_size)
      : below_(stack), most_(max_value_size != 0 ? max_value_size : 256 * 1024 * 1024) {
    stack.set.bind<&StreamLayer::set>(*this);
  }

private:
  omnistore_status set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                       omnistore_sink *result) {
    if (!request->source) return below_.set(call, key, request, result);
    std::string value;
    if (const omnistore_status status = gather(call, *request, value); status != OMNISTORE_OK) return status;
    omnistore_set_request plain = *request;
    plain.source = nullptr;
    plain.value = bytes(value);
    return below_.set(call, key, &plain, result);
  }
  /// Reads a stream to its end.
  omnistore_status gather(omnistore_call *call, const omnistore_set_request &request, std::string &value) const {
    constexpr std::size_t piece = 256 * 1024;
    for (;;) {
      const std::size_t had = value.size();
      value.resize(had + piece);
      std::uint64_t read = 0;
      const omnistore_status status = request.source->read(request.source, value.data() + had, piece, &read);
      value.resize(had + static_cast<std::size_t>(read));
      if (status != OMNISTORE_OK) return status;
      if (read == 0) break;
      if (value.size() > most_)
        return fail(call, OMNISTORE_TOO_LARGE,
                    "this driver takes no streams, and the host holds at most " + std::to_string(most_) +
                        " bytes for it");
    }
    if (request.source_size != OMNISTORE_UNKNOWN_SIZE && value.size() != request.source_size)
      return fail(call, OMNISTORE_INVALID,
                  "the stream gave " + std::to_string(value.size()) + " bytes of " +
                      std::to_string(request.source_size));
    return OMNISTORE_OK;
  }

  const Functions below_;
  const std::uint64_t most_;
};

class RoundingLayer {
public:
  RoundingLayer(Functions &stack, const omnistore_traits &traits)
      : below_(stack), min_ttl_(traits.min_ttl), ttl_grain_(traits.ttl_grain) {
    stack.set.bind<&RoundingLayer::set>(*this);
    if (stack.set_many) stack.set_many.bind<&RoundingLayer::set_many>(*this);
    if (stack.touch) stack.touch.bind<&RoundingLayer::touch>(*this);
  }

private:
  std::int64_t rounded(std::int64_t expiry) const {
    if (expiry == 0) return 0;
    const std::int64_t now = now_ms();
    if (expiry <= now) return expiry;
    expiry = std::max(expiry, now + min_ttl_);
    if (ttl_grain_ > 1 && expiry % ttl_grain_ != 0) expiry += ttl_grain_ - expiry % ttl_grain_;
    return expiry;
  }
  omnistore_status set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                       omnistore_sink *result) {
    omnistore_set_request kept = *request;
    kept.expiry = rounded(request->expiry);
    return below_.set(call, key, &kept, result);
  }
  omnistore_status set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_set_request *const *requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    std::deque<omnistore_set_request> kept;
    std::vector<const omnistore_set_request *> pointers;
    for (std::uint32_t i = 0; i < count; ++i) {
      pointers.push_back(&kept.emplace_back(*requests[i]));
      kept.back().expiry = rounded(requests[i]->expiry);
    }
    return below_.set_many(call, keys, count, pointers.data(), results, statuses);
  }
  omnistore_status touch(omnistore_call *call, omnistore_bytes key, const omnistore_touch_request *request) {
    omnistore_touch_request kept = *request;
    if (request->flags & OMNISTORE_TOUCH_EXPIRY) kept.expiry = rounded(request->expiry);
    return below_.touch(call, key, &kept);
  }

  const Functions below_;
  const std::int64_t min_ttl_, ttl_grain_;
};

} // namespace

Layer stack_read_only(Functions &stack) { return std::make_shared<ReadOnlyLayer>(stack); }
Layer stack_streams(Functions &stack, std::uint64_t max_value_size) {
  return std::make_shared<StreamLayer>(stack, max_value_size);
}
Layer stack_roundings(Functions &stack, const omnistore_traits &traits) {
  return std::make_shared<RoundingLayer>(stack, traits);
}

} // namespace omnistore
