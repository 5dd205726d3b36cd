// SPDX-License-Identifier: Apache-2.0
#include "fetching/sinks.hpp"

#include <algorithm>
#include <cstring>

namespace cache {

using omnistore::as_bytes, omnistore::as_view, omnistore::whole;
using omnistore::sdk::without_exceptions;

namespace {

/// Gives bytes to the reader, through its buffer if it offers one.
omnistore_status hand_over(std::string_view bytes, const omnistore_meta &meta, omnistore_sink &reader) {
  void *buffer = nullptr;
  if (const omnistore_status status = reader.begin(&reader, &meta, &buffer); status != OMNISTORE_OK) return status;
  if (bytes.empty()) return OMNISTORE_OK;
  if (!buffer) return reader.write(&reader, bytes.data(), bytes.size());
  std::memcpy(buffer, bytes.data(), bytes.size());
  return reader.write(&reader, buffer, bytes.size());
}

} // namespace

omnistore_status give(std::string_view value, const omnistore_meta &meta, const omnistore_get_request &request,
                      omnistore_sink &sink) {
  const std::uint64_t from = std::min<std::uint64_t>(request.offset, value.size());
  return hand_over(value.substr(from, std::min<std::uint64_t>(request.length, value.size() - from)), meta, sink);
}

// ------------------------------------------------------------------------------------------------------------- copies

omnistore_status CopyFilter::begin(const omnistore_meta &copy, void **buffer) {
  const omnistore_meta own = whole(copy);
  seen_ = true;
  age_ = judge_(self_, own, record_);
  let_ = age_ != Age::unknown && age_ <= oldest_ && !(needs_user_ && record_.user.empty());
  if (!let_) return OMNISTORE_CONFLICT; // so that the store stops; held_back() is true
  meta_ = own;
  meta_.expiry = record_.expiry;
  meta_.mtime = record_.mtime; // of the origin, or unknown: the mtime of the copy says nothing about the value
  meta_.etag = request_.flags & OMNISTORE_GET_META ? as_bytes(record_.etag) : omnistore_bytes{nullptr, 0};
  meta_.flags &= ~OMNISTORE_META_USER;
  meta_.user = {nullptr, 0};
  if (request_.flags & OMNISTORE_GET_USER && !record_.user.empty()) omnistore::add_user(meta_, as_view(own.user));
  if (!keeps_) {
    begun_ = true;
    return reader_.begin(&reader_, &meta_, buffer);
  }
  user_ = as_view(meta_.user);
  meta_.user = as_bytes(user_);
  if (buffer && own.value_size != OMNISTORE_UNKNOWN_SIZE) {
    const std::uint64_t from = std::min(request_.offset, own.value_size);
    kept_.resize(std::min(request_.length, own.value_size - from));
    *buffer = kept_.data();
  }
  return OMNISTORE_OK;
}

omnistore_status CopyFilter::finish() {
  if (!let_ || begun_) return OMNISTORE_OK;
  begun_ = true;
  return hand_over(std::string_view(kept_).substr(0, put_), meta_, reader_);
}

omnistore_status OMNISTORE_CALL CopyFilter::begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                   void **buffer) noexcept {
  if (buffer) *buffer = nullptr;
  return without_exceptions([&] { return static_cast<CopyFilter *>(sink)->begin(*meta, buffer); });
}

omnistore_status OMNISTORE_CALL CopyFilter::write_(omnistore_sink *sink, const void *data,
                                                   std::uint64_t size) noexcept {
  auto &self = *static_cast<CopyFilter *>(sink);
  if (!self.keeps_) return self.reader_.write(&self.reader_, data, size);
  return without_exceptions([&] {
    if (data != self.kept_.data() + self.put_) {
      self.kept_.resize(self.put_);
      self.kept_.append(static_cast<const char *>(data), size);
    }
    self.put_ += size;
    return OMNISTORE_OK;
  });
}

// ------------------------------------------------------------------------------------------------------- the origin's

omnistore_meta FetchSink::meta() const {
  omnistore_meta meta = meta_;
  meta.etag = as_bytes(etag_);
  meta.user = as_bytes(user_);
  if (!passed_ && began_)
    meta.value_size = meta_.value_size == OMNISTORE_UNKNOWN_SIZE ? value_.size() : meta_.value_size;
  return meta;
}

omnistore_status FetchSink::begin(const omnistore_meta &given) {
  meta_ = whole(given);
  etag_ = as_view(meta_.etag);
  user_ = as_view(meta_.user);
  began_ = true;
  if (meta_.value_size == OMNISTORE_UNKNOWN_SIZE) return OMNISTORE_OK;
  if (meta_.value_size > largest_) return pass_on();
  value_.reserve(meta_.value_size);
  return OMNISTORE_OK;
}

omnistore_status FetchSink::pass_on() {
  passed_ = true;
  if (!reader_) return OMNISTORE_CONFLICT; // so that the origin stops
  omnistore_meta shown = meta();
  shown.flags &= ~OMNISTORE_META_USER; // the reader may not have requested it
  shown.user = {nullptr, 0};
  const omnistore_status status = reader_->begin(reader_, &shown, nullptr);
  if (status != OMNISTORE_OK || value_.empty()) return status;
  const omnistore_status written = reader_->write(reader_, value_.data(), value_.size());
  value_ = std::string();
  return written;
}

omnistore_status FetchSink::write(std::string_view bytes) {
  if (!passed_ && value_.size() + bytes.size() > largest_)
    if (const omnistore_status status = pass_on(); status != OMNISTORE_OK) return status;
  if (passed_) return reader_->write(reader_, bytes.data(), bytes.size());
  value_ += bytes;
  return OMNISTORE_OK;
}

omnistore_status OMNISTORE_CALL FetchSink::begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                  void **buffer) noexcept {
  if (buffer) *buffer = nullptr;
  return without_exceptions([&] { return static_cast<FetchSink *>(sink)->begin(*meta); });
}

omnistore_status OMNISTORE_CALL FetchSink::write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept {
  return without_exceptions([&] { return static_cast<FetchSink *>(sink)->write(as_view({data, size})); });
}

} // namespace cache
