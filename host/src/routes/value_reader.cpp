// SPDX-License-Identifier: Apache-2.0
#include "routes/value_reader.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ascii.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "http/pipes.hpp"
#include "http/reply.hpp"

namespace omnistore::routes {

namespace {

constexpr std::size_t head_room = 640; // more than the head of a value needs

void append_content_range(Buffer &out, const http::ByteRange &range, std::uint64_t length, std::uint64_t size) {
  out.append("Content-Range: bytes ");
  append_number(out, range.first);
  out.append("-");
  append_number(out, range.first + length - 1);
  out.append("/");
  if (size == UINT64_MAX) {
    out.append("*");
  } else {
    append_number(out, size);
  }
  out.append("\r\n");
}

/// Returns true if the text can stand in an ETag header. A driver may give anything.
bool is_etag(std::string_view text) {
  return !text.empty() &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c == '"' || c == 0x7f; });
}

} // namespace

bool wants_bytes(const Request &request) { return http::accepts(request, "application/octet-stream"); }

void begin_value_head(const Request &request, Response &response, unsigned status, const Meta &meta) {
  Buffer &out = response.out;
  begin_head(response, status);
  // Others stored the values, so a browser must not take one for a page.
  out.append(wants_bytes(request)
                 ? "Content-Type: application/octet-stream\r\nX-Content-Type-Options: nosniff\r\nVary: Accept\r\n"
                 : "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nVary: Accept\r\n");
  if (is_etag(meta.etag)) {
    out.append("ETag: \"");
    out.append(meta.etag);
    out.append("\"\r\n");
  }
  if (meta.mtime > 0) {
    out.append("Last-Modified: ");
    append_date(out, meta.mtime / 1000);
    out.append("\r\n");
  }
  // The user's meta, if the client wants it. A meta that is too long for a header can be read under `key$`.
  constexpr std::size_t longest_user = 16 * 1024;
  if (request.has(Header::x_user_meta) && meta.user_known && meta.user.size() <= longest_user) {
    out.append("X-User-Meta: ");
    out.append(base::to_base64(meta.user));
    out.append("\r\n");
  }
  if (meta.expiry == 0) {
    // Without it a browser would guess an age from Last-Modified.
    out.append("Cache-Control: no-cache\r\n");
    return;
  }
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(meta.expiry - now_ms() + 999, 0) / 1000);
  header(response, "X-Ttl", seconds);
  out.append("Cache-Control: max-age=");
  append_number(out, seconds);
  out.append("\r\n");
}

void ValueReader::put_head(std::uint64_t length) {
  begin_value_head(request_, response_, range_ ? 206 : 200, meta_);
  if (range_) append_content_range(response_.out, *range_, length, meta_.size);
  end_head(request_, response_, length);
}

void ValueReader::put_chunked_head() {
  begin_value_head(request_, response_, 200, meta_);
  end_chunked_head(request_, response_);
  is_framed_ = request_.message.version != 10;
  response_.close = response_.close || !is_framed_; // what ends the body then
}

/// Looks at the value that comes, and returns how many bytes of it go out; nullopt if that is unknown or none do.
std::optional<std::uint64_t> ValueReader::take(const Meta &meta) {
  if (seen_ && (seen_->size != meta.size || seen_->etag != meta.etag)) throw Changed{meta.etag.empty()};
  meta_ = meta;
  if (meta.size == UINT64_MAX) return std::nullopt;
  if (!range_) return meta.size;
  if (range_->first >= meta.size) return std::nullopt;
  return std::min(range_->last, meta.size - 1) - range_->first + 1;
}

void ValueReader::begin_without_place(const Meta &meta) {
  const auto length = take(meta);
  if (!length) return;
  if (streams_ && *length > http::long_value) {
    if (!request_.message.pipe->enter()) throw LongValue();
    is_long_ = true;
  } else {
    expected_ = *length;
  }
  put_head(*length);
}

void ValueReader::borrow(std::string_view bytes, std::shared_ptr<const void> loan) {
  if (is_long_) return write(bytes);
  response_.lent = bytes;
  response_.loan = std::move(loan);
}

char *ValueReader::begin(const Meta &meta) {
  Buffer &out = response_.out;
  const auto known = take(meta);
  if (!known) return nullptr;
  const std::uint64_t length = *known;
  if (streams_ && length > http::long_value) {
    if (!request_.message.pipe->enter()) throw LongValue();
    put_head(length);
    is_long_ = true;
    return nullptr;
  }
  out.room(head_room + length);
  put_head(length);
  char *const place = out.room(length);
  out.grew(length);
  return place;
}

void ValueReader::write(std::string_view bytes) {
  Buffer &out = response_.out;
  if (is_long_) return stream(bytes);
  if (expected_ != 0) out.room(std::exchange(expected_, 0)); // all of it at once, now that it comes
  out.append(bytes);
  if (meta_.size != UINT64_MAX) return;
  if (!streams_ || range_ || out.size() - mark_ <= http::long_value) return;
  if (!request_.message.pipe->enter()) throw LongValue();
  const std::size_t end = out.size();
  put_chunked_head();
  const std::size_t chunk = is_framed_ ? open_chunk(out) : 0;
  bring_forward(end);
  if (is_framed_) close_chunk(out, chunk - (end - mark_));
  is_long_ = true;
  request_.message.pipe->give(out);
}

/// Hands on a part of a long value. However much a driver gives at once, the buffers on the way stay short.
void ValueReader::stream(std::string_view bytes) {
  Buffer &out = response_.out;
  while (!bytes.empty()) {
    const std::string_view some = bytes.substr(0, http::stream_piece);
    bytes.remove_prefix(some.size());
    const std::size_t chunk = is_framed_ ? open_chunk(out) : 0;
    out.append(some);
    if (is_framed_) close_chunk(out, chunk);
    if (out.size() >= http::stream_piece) request_.message.pipe->give(out);
  }
}

/// Moves the bytes after `middle` before the beginning of the value, without a copy of the value.
void ValueReader::bring_forward(std::size_t middle) {
  Buffer &out = response_.out;
  std::rotate(out.data() + mark_, out.data() + middle, out.data() + out.size());
}

void ValueReader::finish() {
  if (is_framed_) last_chunk(response_.out);
  if (is_long_) return;
  const bool no_bytes = response_.out.size() == mark_;
  if (range_ && no_bytes) {
    std::string extra = "Content-Range: bytes */";
    extra += meta_.size == UINT64_MAX ? "0" : std::to_string(meta_.size);
    extra += "\r\n";
    return reply_error(request_, response_, 416, "The range begins after the value's end", extra);
  }
  if (meta_.size != UINT64_MAX) return;
  // The length is known only now: the head goes before the part that has been written.
  const std::size_t length = response_.out.size() - mark_;
  put_head(length);
  bring_forward(mark_ + length);
}

} // namespace omnistore::routes
