// SPDX-License-Identifier: Apache-2.0
#include "values/replies.hpp"

#include <algorithm>
#include <string>

#include "values/script.hpp"

namespace redis {

using omnistore::as_bytes, omnistore::as_view;

namespace {

std::string_view string_or_none(const redisReply &reply) {
  return reply.type == REDIS_REPLY_STRING ? text_of(reply) : std::string_view();
}

std::string_view user_text(const redisReply &reply) {
  const std::string_view text = string_or_none(reply);
  return text.size() <= OMNISTORE_MAX_USER_SIZE ? text : std::string_view();
}

/// Returns true if this user meta was set with another value. If it has no binding, or the binding of other user meta,
/// another program wrote it for the value that is there.
bool is_stale(std::string_view binding, std::string_view etag, std::string_view user) {
  return binding.size() == 80 && binding.substr(0, 40) != etag && binding.substr(40) == etag_of(user);
}

} // namespace

redisReply *const *executed(std::span<const Reply> replies) {
  for (const Reply &reply : replies) not_error(*reply);
  return array_of(*replies.back(), replies.size() - 2);
}

omnistore_status give_with_meta(const redisReply &found, const redisReply &expiry, redisReply *const *user,
                                bool with_etag, omnistore_sink &sink) {
  if (is_nil(not_error(found))) return OMNISTORE_NOT_FOUND;
  const std::string_view value = string_of(found);
  const std::string_view text = user ? user_text(*user[0]) : std::string_view();
  const std::string_view binding = text.empty() ? std::string_view() : string_or_none(*user[1]);
  const std::string etag = with_etag || !binding.empty() ? etag_of(value) : std::string();
  omnistore_meta meta = omnistore::make_meta(value.size(), 0, std::max(integer_of(expiry), 0LL));
  if (with_etag) meta.etag = as_bytes(etag);
  if (user) omnistore::add_user(meta, is_stale(binding, etag, text) ? std::string_view() : text);
  return omnistore::give(sink, meta, value);
}

omnistore_status give_got(std::span<const Reply> replies, std::string_view key, const omnistore_get_request &request,
                          omnistore_sink &sink) {
  if (replies.size() == 1) {
    if (is_nil(not_error(*replies[0]))) return OMNISTORE_NOT_FOUND;
    return omnistore::give(sink, string_of(*replies[0]));
  }
  redisReply *const *parts = executed(replies);
  const bool user = wants_user(request) && may_have_user(key);
  return give_with_meta(*parts[0], *parts[1], user ? array_of(*parts[2], 2) : nullptr, wants_meta(request), sink);
}

omnistore_status give_meta_reply(const redisReply &reply, const omnistore_get_request &request, omnistore_sink &sink) {
  if (is_nil(not_error(reply))) return OMNISTORE_NOT_FOUND;
  redisReply *const *parts = array_of(reply, reply.elements == 4 ? 4 : 3);
  omnistore_meta meta =
      omnistore::make_meta(static_cast<std::uint64_t>(integer_of(*parts[0])), 0, std::max(integer_of(*parts[1]), 0LL));
  if (wants_meta(request)) meta.etag = as_bytes(string_of(*parts[2]));
  if (reply.elements == 4) omnistore::add_user(meta, string_of(*parts[3]));
  return omnistore::give(sink, meta);
}

omnistore_status give_stat(std::span<const Reply> replies, const omnistore_get_request &request, omnistore_sink &sink) {
  if (replies.size() == 4) { // MULTI
    redisReply *const *parts = executed(replies);
    const long long size = integer_of(*parts[0]), expiry = integer_of(*parts[1]);
    if (expiry == no_such_key) return OMNISTORE_NOT_FOUND;
    return omnistore::give(sink, omnistore::make_meta(static_cast<std::uint64_t>(size), 0, std::max(expiry, 0LL)));
  }
  return give_meta_reply(*replies[0], request, sink);
}

omnistore_status give_result(omnistore_sink &result, const omnistore_set_request &request, std::int64_t expiry) {
  omnistore_meta meta = omnistore::make_meta(request.value.size, 0, request.expiry == 0 ? expiry : request.expiry);
  const std::string etag = etag_of(as_view(request.value));
  meta.etag = as_bytes(etag);
  return omnistore::give(result, meta);
}

omnistore_status outcome_of_set(const redisReply &reply) {
  not_error(reply);
  const bool held = reply.type == REDIS_REPLY_INTEGER ? reply.integer == 1 : !is_nil(reply);
  return held ? OMNISTORE_OK : OMNISTORE_CONFLICT;
}

} // namespace redis
