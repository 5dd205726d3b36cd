// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

#include "layer/layer.hpp"

namespace overlay {

inline constexpr std::size_t longest_etag = 64;

/// A layer's etag as the overlay gives it: behind the layer's digit, since two layers may use the same ones.
class Etag {
public:
  Etag() = default;
  Etag(std::uint32_t layer, std::string_view own) { assign(layer, own); }
  void assign(std::uint32_t layer, std::string_view own);
  /// Shows another in its place, which is not the layer's own.
  void replace(std::string_view text);
  std::string_view text() const { return {text_.data(), size_}; }
  /// The layer's own; empty where there is none, or it had to be shortened.
  std::string_view own() const { return own_ ? text().substr(1) : std::string_view(); }

private:
  std::array<char, longest_etag> text_;
  std::size_t size_ = 0;
  bool own_ = false;
};

/// Meta that is kept.
struct MetaCopy {
  std::uint64_t value_size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  Etag etag;
  std::string user;
  std::uint32_t flags = 0; ///< OMNISTORE_META_...

  void take(const omnistore_meta &meta, std::uint32_t layer);
  omnistore_meta view() const;
};

/// Takes a value and forgets it: a look-up learns that it is there.
struct DiscardingSink : omnistore_sink {
  DiscardingSink() noexcept : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr} {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *, const omnistore_meta *, void **buffer) noexcept {
    if (buffer) *buffer = nullptr;
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
};

class Copies;

/// Stands before the caller's sink while a layer gives a value: puts the layer's digit before the etag, gives a copy
/// the etag of its source, and keeps unstorage's marker back. A value is passed on as it comes, or held until the layer
/// is done with it: where it may be the marker, and where `holds` says so. A layer that never blocks may use its sink
/// under its locks, while the overlay's own may block (driver.h). What fits in `room` is held there.
class ValueFilter : public omnistore_sink {
public:
  ValueFilter(omnistore_sink &inner, const Layer &layer, std::string_view key, const Copies &copies,
              const omnistore_get_request &request, bool holds, std::span<char> room = {})
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr}, inner_(inner), key_(key), copies_(copies),
        request_(request), layer_(layer.index), holds_(holds), may_mark_(layer.may_mark), room_(room) {}
  ValueFilter(const ValueFilter &) = delete;
  ValueFilter &operator=(const ValueFilter &) = delete;

  /// Whether the caller's sink has begun: no other layer's value can be given any more.
  bool begun() const { return begun_; }
  /// Whether it was the caller's sink that failed, not the layer.
  bool refused() const { return refused_; }
  /// When the layer is done: whether the value is the marker, as far as what was asked for shows it.
  bool is_marker() const;
  /// When the layer is done: whether it may be the marker, and too little of it was asked for to tell.
  bool may_be_marker() const { return state_ == State::held && suspicious() && !shows_marker(); }
  /// Gives on what is held.
  omnistore_status finish();

  /// What was held: the bytes asked for.
  std::string_view bytes() const { return {long_.empty() ? room_.data() : long_.data(), size_}; }
  const omnistore_meta &meta() const { return meta_; }
  /// Whether it was passed on as it came.
  bool passing() const { return state_ == State::passing; }

private:
  enum class State { waiting, passing, held };

  bool suspicious() const;
  bool shows_marker() const;
  char *place_for(std::uint64_t more);
  omnistore_status begin(const omnistore_meta &meta, void **buffer);
  omnistore_status begin_inner(const omnistore_meta &meta, void **buffer);
  omnistore_status write(const char *data, std::uint64_t length);
  omnistore_status note(omnistore_status status) {
    refused_ = refused_ || status != OMNISTORE_OK;
    return status;
  }
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept;
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept;

  omnistore_sink &inner_;
  const std::string_view key_;
  const Copies &copies_;
  const omnistore_get_request &request_;
  const std::uint32_t layer_;
  const bool holds_, may_mark_;
  State state_ = State::waiting;
  bool begun_ = false, refused_ = false;
  std::span<char> room_;
  std::string long_; ///< what does not fit in room_
  std::size_t size_ = 0;
  omnistore_meta meta_; ///< of a value that is held; it points to:
  Etag etag_;
  std::string user_;
};

/// Puts the layer's digit before the etag of a set's result.
class LayerResultSink : public omnistore_sink {
public:
  LayerResultSink(omnistore_sink &inner, std::uint32_t layer)
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr}, inner_(inner), layer_(layer) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    auto &self = *static_cast<LayerResultSink *>(sink);
    if (buffer) *buffer = nullptr;
    omnistore_meta tagged = whole(*meta);
    const Etag etag(self.layer_, as_view(tagged.etag));
    tagged.etag = as_bytes(etag.text());
    return self.inner_.begin(&self.inner_, &tagged, nullptr);
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
  omnistore_sink &inner_;
  const std::uint32_t layer_;
};

/// Takes meta only.
class LayerMetaSink : public omnistore_sink {
public:
  LayerMetaSink(MetaCopy &into, std::uint32_t layer) noexcept
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr}, meta_(into), layer_(layer) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept;
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
  MetaCopy &meta_;
  const std::uint32_t layer_;
};

/// Whether a layer has unstorage's marker in place of a value. OMNISTORE_NOT_FOUND where it has nothing.
omnistore_status has_marker(Call call, const Layer &layer, std::string_view key, bool &is);

} // namespace overlay
