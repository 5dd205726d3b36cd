// SPDX-License-Identifier: Apache-2.0
#include "reader.hpp"

#include <algorithm>

#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "base64.hpp"
#include "etag.hpp"

namespace http {

omnistore_meta meta_of(const Answer &answer, const omnistore_host &host, std::string &etag) {
  etag = etag_of(answer.etag);
  const std::int64_t now = host.now(&host);
  const std::int64_t expiry = answer.ttl < 0 ? 0 : now + answer.ttl;
  omnistore_meta meta = omnistore::make_meta(answer.value_size(), answer.told_mtime(now), expiry);
  meta.etag = omnistore::as_bytes(etag);
  return meta;
}

bool add_user_of(const Answer &answer, omnistore_meta &meta, std::string &user) {
  std::optional<std::string> told = answer.user ? from_base64(*answer.user) : std::nullopt;
  if (!told) return false;
  user = std::move(*told);
  omnistore::add_user(meta, user);
  return true;
}

void Reader::begin(const Answer &answer) {
  begun_ = true;
  const bool whole = request_.offset == 0 && request_.length == UINT64_MAX;
  if (answer.status == 206 && (whole || answer.first != request_.offset))
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the server sent another part than was asked for");
  std::string etag;
  omnistore_meta meta = meta_of(answer, host_, etag);
  if (!known_.empty() && answer.status == 304 && etag.empty()) meta.etag = omnistore::as_bytes(known_);
  unchanged_ = !known_.empty() && (answer.status == 304 || etag == known_);
  if (!(request_.flags & OMNISTORE_GET_META)) meta.etag = {};
  if (request_.flags & OMNISTORE_GET_USER) add_user_of(answer, meta, user_); // else the host asks with a stat
  status_ = sink_.begin(&sink_, &meta, nullptr);
  skip_ = answer.status == 206 ? 0 : request_.offset;
  left_ = unchanged_ ? 0 : request_.length;
}

bool Reader::take(const Answer &answer, std::string_view piece) {
  if (!begun_) begin(answer);
  if (status_ != OMNISTORE_OK || left_ == 0) return false;
  const std::uint64_t skipped = std::min<std::uint64_t>(skip_, piece.size());
  skip_ -= skipped;
  piece.remove_prefix(static_cast<std::size_t>(skipped));
  piece = piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece.size())));
  if (left_ != UINT64_MAX) left_ -= piece.size();
  if (!piece.empty()) status_ = sink_.write(&sink_, piece.data(), piece.size());
  return status_ == OMNISTORE_OK && (left_ != 0 || answer.status == 206); // a part is read to its end
}

omnistore_status Reader::finish(const Answer &answer) {
  if (!begun_) begin(answer);
  return status_;
}

} // namespace http
