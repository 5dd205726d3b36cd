// SPDX-License-Identifier: Apache-2.0
#include "transport/reader.hpp"

#include <algorithm>

#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "transport/base64.hpp"
#include "transport/etag.hpp"

namespace http {

omnistore_meta meta_of(const Response &response, const omnistore_host &host, std::string &etag) {
  etag = etag_of(response.etag);
  const std::int64_t now = host.now(&host);
  const std::int64_t expiry = response.ttl < 0 ? 0 : now + response.ttl;
  omnistore_meta meta = omnistore::make_meta(response.value_size(), response.reliable_mtime(now), expiry);
  meta.etag = omnistore::as_bytes(etag);
  return meta;
}

bool add_user_of(const Response &response, omnistore_meta &meta, std::string &user) {
  std::optional<std::string> found = response.user ? from_base64(*response.user) : std::nullopt;
  if (!found) return false;
  user = std::move(*found);
  omnistore::add_user(meta, user);
  return true;
}

void Reader::begin(const Response &response) {
  begun_ = true;
  const bool whole = request_.offset == 0 && request_.length == UINT64_MAX;
  if (response.status == 206 && (whole || response.first != request_.offset))
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the server sent another part than was requested");
  std::string etag;
  omnistore_meta meta = meta_of(response, host_, etag);
  if (!known_.empty() && response.status == 304 && etag.empty()) meta.etag = omnistore::as_bytes(known_);
  unchanged_ = !known_.empty() && (response.status == 304 || etag == known_);
  if (!(request_.flags & OMNISTORE_GET_META)) meta.etag = {};
  if (request_.flags & OMNISTORE_GET_USER) add_user_of(response, meta, user_); // otherwise the host sends a stat
  status_ = sink_.begin(&sink_, &meta, nullptr);
  skip_ = response.status == 206 ? 0 : request_.offset;
  left_ = unchanged_ ? 0 : request_.length;
}

bool Reader::take(const Response &response, std::string_view piece) {
  if (!begun_) begin(response);
  if (status_ != OMNISTORE_OK || left_ == 0) return false;
  const std::uint64_t skipped = std::min<std::uint64_t>(skip_, piece.size());
  skip_ -= skipped;
  piece.remove_prefix(static_cast<std::size_t>(skipped));
  piece = piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece.size())));
  if (left_ != UINT64_MAX) left_ -= piece.size();
  if (!piece.empty()) status_ = sink_.write(&sink_, piece.data(), piece.size());
  return status_ == OMNISTORE_OK && (left_ != 0 || response.status == 206); // a part is read to its end
}

omnistore_status Reader::finish(const Response &response) {
  if (!begun_) begin(response);
  return status_;
}

} // namespace http
