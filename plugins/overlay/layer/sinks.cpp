// SPDX-License-Identifier: Apache-2.0
#include "layer/sinks.hpp"

#include <algorithm>
#include <cstring>

#include "records/keys.hpp"
#include "writing/copies.hpp"

namespace overlay {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

} // namespace

void Etag::assign(std::uint32_t layer, std::string_view own) {
  size_ = 0;
  own_ = false;
  if (own.empty()) return;
  text_[size_++] = hex_digits[layer % max_layers];
  // An etag that leaves no room for the digit is shortened to its first half and a hash.
  const std::size_t kept = own.size() < longest_etag ? own.size() : longest_etag / 2;
  std::memcpy(text_.data() + size_, own.data(), kept);
  size_ += kept;
  own_ = kept == own.size();
  if (own_) return;
  for (std::uint64_t hash = fnv1a(own); hash != 0; hash >>= 4) text_[size_++] = hex_digits[hash & 15];
}

void Etag::replace(std::string_view text) {
  size_ = std::min(text.size(), text_.size());
  std::memcpy(text_.data(), text.data(), size_);
  own_ = false;
}

void MetaCopy::take(const omnistore_meta &given, std::uint32_t layer) {
  const omnistore_meta meta = whole(given);
  flags = meta.flags;
  value_size = meta.value_size;
  mtime = meta.mtime;
  expiry = meta.expiry;
  etag.assign(layer, as_view(meta.etag));
  if (meta.user.size != 0 || !user.empty()) user = as_view(meta.user);
}

omnistore_meta MetaCopy::view() const {
  return {sizeof(omnistore_meta), flags, value_size, mtime, expiry, as_bytes(etag.text()), as_bytes(user)};
}

bool ValueFilter::is_marker() const {
  return state_ == State::held && suspicious() && shows_marker() && bytes() == removed_marker;
}

/// Returns true if the requested part is long enough to show the marker.
bool ValueFilter::shows_marker() const {
  const bool as_long = meta_.value_size == removed_marker.size();
  return request_.offset == 0 &&
         (as_long ? request_.length >= removed_marker.size() : request_.length > removed_marker.size());
}

bool ValueFilter::suspicious() const {
  return may_mark_ && (meta_.value_size == removed_marker.size() || meta_.value_size == OMNISTORE_UNKNOWN_SIZE);
}

omnistore_status ValueFilter::begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) noexcept {
  return omnistore::sdk::without_exceptions([&] { return static_cast<ValueFilter *>(sink)->begin(*meta, buffer); });
}
omnistore_status ValueFilter::write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept {
  return omnistore::sdk::without_exceptions(
      [&] { return static_cast<ValueFilter *>(sink)->write(static_cast<const char *>(data), size); });
}

omnistore_status ValueFilter::begin(const omnistore_meta &meta, void **buffer) {
  const bool sized = meta.value_size != OMNISTORE_UNKNOWN_SIZE;
  const bool may_be = may_mark_ && (!sized || meta.value_size == removed_marker.size());
  if (!holds_ && !may_be) {
    state_ = State::passing;
    return begin_inner(meta, buffer);
  }
  state_ = State::held;
  meta_ = whole(meta);
  size_ = 0;
  if (meta_.etag.size != 0) {
    etag_.assign(layer_, as_view(meta_.etag));
    copies_.show_source_etag(key_, layer_, etag_);
    meta_.etag = as_bytes(etag_.text());
  }
  if (meta_.user.size != 0) {
    user_ = as_view(meta_.user);
    meta_.user = as_bytes(user_);
  }
  void *place = nullptr;
  if (sized) {
    const std::uint64_t offset = std::min(request_.offset, meta_.value_size);
    place = place_for(std::min(request_.length, meta_.value_size - offset));
  }
  if (buffer) *buffer = place;
  return OMNISTORE_OK;
}

omnistore_status ValueFilter::begin_inner(const omnistore_meta &meta, void **buffer) {
  begun_ = true;
  if (meta.etag.size == 0) return note(inner_.begin(&inner_, &meta, buffer));
  omnistore_meta tagged = whole(meta);
  Etag etag(layer_, as_view(meta.etag));
  copies_.show_source_etag(key_, layer_, etag);
  tagged.etag = as_bytes(etag.text());
  return note(inner_.begin(&inner_, &tagged, buffer));
}

/// Returns room for `more` bytes after the buffered ones.
char *ValueFilter::place_for(std::uint64_t more) {
  const std::size_t needed = size_ + static_cast<std::size_t>(more);
  if (long_.empty() && needed <= room_.size()) return room_.data() + size_;
  if (long_.empty()) long_.assign(room_.data(), size_);
  if (long_.size() < needed) long_.resize(std::max(needed, needed > long_.capacity() ? 2 * long_.size() : needed));
  return long_.data() + size_;
}

omnistore_status ValueFilter::write(const char *data, std::uint64_t length) {
  if (state_ == State::passing) return note(inner_.write(&inner_, data, length));
  if (length == 0) return OMNISTORE_OK;
  char *place = place_for(length);
  if (place != data) std::memcpy(place, data, static_cast<std::size_t>(length));
  size_ += static_cast<std::size_t>(length);
  if (holds_ || meta_.value_size != OMNISTORE_UNKNOWN_SIZE || size_ <= removed_marker.size()) return OMNISTORE_OK;
  // The value is longer than the marker, so it need not be buffered any more.
  const omnistore_status status = finish();
  state_ = State::passing;
  return status;
}

omnistore_status ValueFilter::finish() {
  if (state_ != State::held) return OMNISTORE_OK;
  omnistore_meta meta = meta_;
  if (!(request_.flags & OMNISTORE_GET_META)) meta.etag = {nullptr, 0};
  if (!(request_.flags & OMNISTORE_GET_USER)) meta.flags &= ~OMNISTORE_META_USER, meta.user = {nullptr, 0};
  begun_ = true;
  if (const omnistore_status status = note(inner_.begin(&inner_, &meta, nullptr)); status != OMNISTORE_OK)
    return status;
  return size_ == 0 ? OMNISTORE_OK : note(inner_.write(&inner_, bytes().data(), size_));
}

omnistore_status LayerMetaSink::begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) noexcept {
  auto &self = *static_cast<LayerMetaSink *>(sink);
  if (buffer) *buffer = nullptr;
  return omnistore::sdk::without_exceptions([&] {
    self.meta_.take(*meta, self.layer_);
    return OMNISTORE_OK;
  });
}

omnistore_status has_marker(Call call, const Layer &layer, std::string_view key, bool &is) {
  omnistore::ValueSink value;
  const omnistore_get_request request{sizeof request, 0, 0, removed_marker.size() + 1};
  const omnistore_status status = layer.store.child.get(call, key, request, value);
  is = status == OMNISTORE_OK && value.bytes == removed_marker;
  return status;
}

} // namespace overlay
