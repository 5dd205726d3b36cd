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
#include <omnistore/forward.hpp>

#include "layer/layer.hpp"

namespace overlay {

inline constexpr std::size_t longest_etag = 64;

/// An etag of the overlay: the layer's digit and then the layer's etag, since two layers may use the same etags.
class Etag {
public:
  Etag() = default;
  Etag(std::uint32_t layer, std::string_view own) { assign(layer, own); }
  void assign(std::uint32_t layer, std::string_view own);
  /// Replaces it by an etag that is not the layer's.
  void replace(std::string_view text);
  std::string_view text() const { return {text_.data(), size_}; }
  /// Returns the layer's etag; empty if there is none, or if it had to be shortened.
  std::string_view own() const { return own_ ? text().substr(1) : std::string_view(); }

private:
  std::array<char, longest_etag> text_;
  std::size_t size_ = 0;
  bool own_ = false;
};

/// Meta that outlives the call.
struct MetaCopy {
  std::uint64_t value_size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  Etag etag;
  std::string user;
  std::uint32_t flags = 0; ///< OMNISTORE_META_...

  void take(const omnistore_meta &meta, std::uint32_t layer);
  omnistore_meta view() const;
};

/// Discards a value. A look-up uses it to learn that the value exists.
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

/// The sink that a layer gives a value to, before the caller's sink. It puts the layer's digit before the etag, gives a
/// copy the etag of its source, and does not pass on unstorage's marker. It passes a value on piece by piece, or
/// buffers it until the layer has finished: if the value may be the marker, or if `holds` is set. `holds` is needed
/// because a layer that never blocks may call its sink while it holds locks, and the caller's sink may block
/// (driver.h). A value that fits into `room` is buffered there.
class ValueFilter : public omnistore_sink {
public:
  ValueFilter(omnistore_sink &inner, const Layer &layer, std::string_view key, const Copies &copies,
              const omnistore_get_request &request, bool holds, std::span<char> room = {})
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr}, inner_(inner), key_(key), copies_(copies),
        request_(request), layer_(layer.index), holds_(holds), may_mark_(layer.may_mark), room_(room) {}
  ValueFilter(const ValueFilter &) = delete;
  ValueFilter &operator=(const ValueFilter &) = delete;

  /// Returns true if the caller's sink has begun, so that no other layer's value can be given any more.
  bool begun() const { return begun_; }
  /// Returns true if the caller's sink failed, and not the layer.
  bool refused() const { return refused_; }
  /// Call it after the layer has finished. Returns true if the value is the marker, as far as the requested part shows.
  bool is_marker() const;
  /// Call it after the layer has finished. Returns true if the value may be the marker but the requested part is too
  /// short to decide.
  bool may_be_marker() const { return state_ == State::held && suspicious() && !shows_marker(); }
  /// Passes the buffered value on.
  omnistore_status finish();

  /// The buffered bytes: the requested part.
  std::string_view bytes() const { return {long_.empty() ? room_.data() : long_.data(), size_}; }
  const omnistore_meta &meta() const { return meta_; }
  /// Returns true if the value was passed on piece by piece.
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
  std::string long_; ///< the bytes, if they do not fit into room_
  std::size_t size_ = 0;
  omnistore_meta meta_; ///< of a buffered value; it points to the two members below
  Etag etag_;
  std::string user_;
};

/// Puts the layer's digit before the etag in the result of a set.
class LayerResultSink final : public omnistore::PassingSink {
public:
  LayerResultSink(omnistore_sink &inner, std::uint32_t layer) noexcept : PassingSink(inner), layer_(layer) {}

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    if (buffer) *buffer = nullptr;
    omnistore_meta tagged = whole(meta);
    const Etag etag(layer_, as_view(tagged.etag));
    tagged.etag = as_bytes(etag.text());
    return to().begin(&to(), &tagged, nullptr);
  }
  omnistore_status on_write(const void *, std::uint64_t) override { return OMNISTORE_OK; }

  const std::uint32_t layer_;
};

/// Stores the meta and ignores the value.
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

/// Sets `is` if a layer has unstorage's marker in place of a value. Returns OMNISTORE_NOT_FOUND if it has nothing.
omnistore_status has_marker(Call call, const Layer &layer, std::string_view key, bool &is);

} // namespace overlay
