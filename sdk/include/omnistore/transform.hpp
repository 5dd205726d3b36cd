// SPDX-License-Identifier: Apache-2.0
//
// omnistore/transform.hpp - the base of a layer that stores values in another form, such as
// compressed or encrypted. It reads and writes values through the layer's encoder and decoder, as
// wholes, streams and batches.
//
// A layer `L` derives from Transform<L> and has these members, which any number of threads may call
// at once:
//
//     std::string encode(std::string_view key, std::string_view value);
//         // returns the stored form
//     std::unique_ptr<EncodingSource> encoder(std::string_view key, omnistore_source &from,
//                                             std::uint64_t size);
//         // the same for a stream; its member `stored_size` is the number of bytes that will come
//     std::unique_ptr<DecodingSink> decoder(std::string_view key, omnistore_sink &to);
//         // restores the value
//
// It defines its own stat and stat_many, or inherits those that pass on the child's sizes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/forward.hpp>

namespace omnistore {

/// A sink that takes a value in its stored form, piece by piece, and passes on the original.
class DecodingSink : public omnistore_sink {
public:
  explicit DecodingSink(omnistore_sink &to) noexcept
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr}, to_(to) {}
  DecodingSink(const DecodingSink &) = delete;
  DecodingSink &operator=(const DecodingSink &) = delete;
  virtual ~DecodingSink() = default;

  /// Ends the value after the child has returned `status`, and returns the outcome. If the value
  /// cannot be decoded, that is OMNISTORE_CORRUPT, and the reason is reported to `call` for `item`.
  omnistore_status finish(Call call, std::uint32_t item, omnistore_status status) {
    if (status == OMNISTORE_OK) status = end();
    return reason_.empty() ? status : call.fail(item, OMNISTORE_CORRUPT, reason_);
  }

protected:
  /// Takes the next bytes of the stored form.
  virtual omnistore_status feed(std::string_view bytes) = 0;
  /// Called at the end of the stored form.
  virtual omnistore_status end() = 0;

  /// Returns the size of the stored form, or OMNISTORE_UNKNOWN_SIZE.
  std::uint64_t stored_size() const noexcept { return stored_size_; }
  /// Announces the value, with its size as the caller sees it.
  omnistore_status start(std::uint64_t value_size) {
    omnistore_meta meta = meta_;
    meta.value_size = value_size;
    meta.etag = as_bytes(etag_);
    meta.user = as_bytes(user_);
    return to_.begin(&to_, &meta, nullptr);
  }
  omnistore_status give_on(std::string_view bytes) {
    return bytes.empty() ? OMNISTORE_OK : to_.write(&to_, bytes.data(), bytes.size());
  }
  /// Reports why the value cannot be decoded.
  omnistore_status corrupt(std::string reason) {
    reason_ = std::move(reason);
    return OMNISTORE_CORRUPT;
  }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    if (buffer) *buffer = nullptr;
    auto &self = *static_cast<DecodingSink *>(sink);
    return sdk::without_exceptions([&] {
      self.meta_ = whole(*meta);
      self.stored_size_ = self.meta_.value_size;
      self.etag_ = as_view(self.meta_.etag);
      self.user_ = as_view(self.meta_.user);
      return OMNISTORE_OK;
    });
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data,
                                                std::uint64_t count) noexcept {
    return sdk::without_exceptions([&] {
      return static_cast<DecodingSink *>(sink)->feed(as_view({data, count}));
    });
  }

  omnistore_sink &to_;
  omnistore_meta meta_{};
  std::uint64_t stored_size_ = OMNISTORE_UNKNOWN_SIZE;
  std::string etag_, user_, reason_;
};

/// A source that encodes the bytes of another source, with only a few buffers in memory.
class EncodingSource : public omnistore_source {
public:
  /// `expected` is the number of bytes that `from` has, or OMNISTORE_UNKNOWN_SIZE.
  EncodingSource(omnistore_source &from, std::uint64_t expected) noexcept
      : omnistore_source{sizeof(omnistore_source), 0, &read_}, from_(from), expected_(expected) {}
  EncodingSource(const EncodingSource &) = delete;
  EncodingSource &operator=(const EncodingSource &) = delete;
  virtual ~EncodingSource() = default;

  std::uint64_t stored_size = OMNISTORE_UNKNOWN_SIZE; ///< the bytes that will come out
  /// Returns the number of bytes read from the other source.
  std::uint64_t taken() const noexcept { return taken_; }
  /// Returns why the encoding failed; empty if it did not, or if the other source failed.
  const std::string &reason() const noexcept { return reason_; }

protected:
  /// Appends some of the stored form to `out`, and nothing at the end.
  virtual omnistore_status produce(std::string &out) = 0;
  /// Appends `count` bytes of the value to `into`, or fewer at its end.
  omnistore_status take(std::string &into, std::size_t count) {
    while (count > 0 && !ended_) {
      const std::size_t before = into.size();
      into.resize(before + count);
      std::uint64_t got = 0;
      const omnistore_status status = from_.read(&from_, into.data() + before, count, &got);
      into.resize(before + static_cast<std::size_t>(status == OMNISTORE_OK ? got : 0));
      if (status != OMNISTORE_OK) return status;
      taken_ += got;
      count -= static_cast<std::size_t>(got);
      ended_ = got == 0;
      if (expected_ != OMNISTORE_UNKNOWN_SIZE &&
          (taken_ > expected_ || (ended_ && taken_ < expected_))) {
        reason_ =
            "the source gave " + std::to_string(taken_) + " bytes of " + std::to_string(expected_);
        return OMNISTORE_INVALID;
      }
    }
    return OMNISTORE_OK;
  }
  bool ended() const noexcept { return ended_; }

private:
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer,
                                               std::uint64_t capacity,
                                               std::uint64_t *count) noexcept {
    auto &self = *static_cast<EncodingSource *>(source);
    return sdk::without_exceptions([&] {
      if (self.given_ == self.out_.size()) {
        self.out_.clear();
        self.given_ = 0;
        if (const omnistore_status status = self.produce(self.out_); status != OMNISTORE_OK)
          return status;
      }
      *count = std::min<std::uint64_t>(capacity, self.out_.size() - self.given_);
      if (*count != 0)
        std::memcpy(buffer, self.out_.data() + self.given_, static_cast<std::size_t>(*count));
      self.given_ += static_cast<std::size_t>(*count);
      return OMNISTORE_OK;
    });
  }

  omnistore_source &from_;
  const std::uint64_t expected_;
  std::uint64_t taken_ = 0;
  bool ended_ = false;
  std::string out_, reason_;
  std::size_t given_ = 0; // of out_
};

/// Passes on meta with the size of the value as the caller sees it.
class ResizedSink final : public PassingSink {
public:
  /// size_of(stored size) returns the size for the caller.
  template <class Size>
  ResizedSink(omnistore_sink &to, Size size_of) : PassingSink(to), size_(std::move(size_of)) {}

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    omnistore_meta mine = whole(meta);
    mine.value_size = size_(mine.value_size);
    return PassingSink::on_begin(mine, buffer);
  }
  std::function<std::uint64_t(std::uint64_t)> size_;
};

template <class Layer>
class Transform : public Forward<Layer> {
public:
  using Base = Forward<Layer>;
  /// Drops the capabilities that the stored form does not have: ranges, and that nothing blocks.
  /// For `kept` see Forward.
  Transform(const omnistore_store *child, omnistore_traits &traits,
            std::uint64_t kept = ~std::uint64_t{0})
      : Base(child, traits, kept & ~std::uint64_t{OMNISTORE_CAN_RANGE | OMNISTORE_NEVER_BLOCKS}) {}

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    const std::unique_ptr<DecodingSink> decoder = layer().decoder(key, sink);
    return decoder->finish(call, 0, Base::get(call, key, request, *decoder));
  }
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys,
                            Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    std::vector<std::unique_ptr<DecodingSink>> decoders;
    std::vector<omnistore_sink *> pointers;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      decoders.push_back(layer().decoder(as_view(keys[i]), *sinks[i]));
      pointers.push_back(decoders.back().get());
    }
    const omnistore_status status = Base::get_many(call, keys, requests, pointers.data(), statuses);
    if (status != OMNISTORE_OK) return status;
    for (std::size_t i = 0; i < keys.size(); ++i)
      statuses[i] = decoders[i]->finish(call, static_cast<std::uint32_t>(i), statuses[i]);
    return status;
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    omnistore_set_request mine = request;
    if (!request.source) {
      const std::string stored = layer().encode(key, as_view(request.value));
      mine.value = as_bytes(stored);
      return set_as(call, key, mine, result, [&](std::uint64_t) { return request.value.size; });
    }
    const std::unique_ptr<EncodingSource> encoder =
        layer().encoder(key, *request.source, request.source_size);
    mine.source = encoder.get();
    mine.source_size = encoder->stored_size;
    const omnistore_status status =
        set_as(call, key, mine, result, [&](std::uint64_t) { return encoder->taken(); });
    return status == OMNISTORE_OK || encoder->reason().empty()
               ? status
               : call.fail(status, encoder->reason());
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            Requests<omnistore_set_request> requests,
                            omnistore_sink *const *results, omnistore_status *statuses) {
    std::deque<std::string> stored;
    std::vector<omnistore_set_request> mine;
    std::vector<const omnistore_set_request *> pointers;
    std::deque<ResizedSink> resized;
    std::vector<omnistore_sink *> sinks;
    mine.reserve(keys.size()); // so that the pointers stay valid
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (requests[i].source) return one_by_one(call, keys, requests, results, statuses);
      const std::uint64_t size = requests[i].value.size;
      stored.push_back(layer().encode(as_view(keys[i]), as_view(requests[i].value)));
      pointers.push_back(&mine.emplace_back(requests[i]));
      mine.back().value = as_bytes(stored.back());
      if (results)
        sinks.push_back(
            results[i] ? &resized.emplace_back(*results[i], [size](std::uint64_t) { return size; })
                       : nullptr);
    }
    return Base::set_many(call, keys, Requests(pointers.data()), results ? sinks.data() : nullptr,
                          statuses);
  }

private:
  Layer &layer() noexcept { return static_cast<Layer &>(*this); }
  template <class Size>
  omnistore_status set_as(Call call, std::string_view key, const omnistore_set_request &request,
                          omnistore_sink *result, Size size) {
    if (!result) return Base::set(call, key, request, nullptr);
    ResizedSink resized(*result, size);
    return Base::set(call, key, request, &resized);
  }
  /// Runs a batch that has streams in it.
  omnistore_status one_by_one(Call call, std::span<const omnistore_bytes> keys,
                              Requests<omnistore_set_request> requests,
                              omnistore_sink *const *results, omnistore_status *statuses) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      FailureBuffer kept(call);
      statuses[i] = set(kept, as_view(keys[i]), requests[i], results ? results[i] : nullptr);
      const FailureBuffer::Said said = kept.of(0);
      if (statuses[i] != OMNISTORE_OK)
        call.fail(static_cast<std::uint32_t>(i), statuses[i], said.message, said.details);
    }
    return OMNISTORE_OK;
  }
};

} // namespace omnistore
