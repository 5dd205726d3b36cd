// SPDX-License-Identifier: Apache-2.0
// Reads the replies of the server for single values, and gives the values to the host.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <omnistore/driver.hpp>

#include "connection/commands.hpp"
#include "connection/reply.hpp"

namespace redis {

inline constexpr long long no_such_key = -2; ///< the reply of PEXPIRETIME if there is no such key

inline bool is_whole(const omnistore_get_request &request) {
  return request.offset == 0 && request.length == UINT64_MAX;
}
inline bool wants_meta(const omnistore_get_request &request) { return request.flags & OMNISTORE_GET_META; }
inline bool wants_user(const omnistore_get_request &request) { return request.flags & OMNISTORE_GET_USER; }

/// A key that ends in '$' belongs to a layer, and has no user meta.
inline bool may_have_user(std::string_view key) { return !key.ends_with('$'); }

/// Returns the elements of the reply to EXEC, which is the last one. Throws the error of any command.
redisReply *const *executed(std::span<const Reply> replies);

/// Gives a value and its meta. `user` points to the user meta and its binding, or is null if they are not wanted.
omnistore_status give_with_meta(const redisReply &found, const redisReply &expiry, redisReply *const *user,
                                bool with_etag, omnistore_sink &sink);
/// Gives the value in the replies to the commands of ValueCommands::add_get_with_meta, or to GET alone.
omnistore_status give_got(std::span<const Reply> replies, std::string_view key, const omnistore_get_request &request,
                          omnistore_sink &sink);
/// Gives the meta in the replies to the commands of ValueCommands::add_stat.
omnistore_status give_stat(std::span<const Reply> replies, const omnistore_get_request &request, omnistore_sink &sink);
/// Gives the meta in the reply to one of the scripts `stat` and `stat_with_user`.
omnistore_status give_meta_reply(const redisReply &reply, const omnistore_get_request &request, omnistore_sink &sink);
/// Gives the meta of a value that was set.
omnistore_status give_result(omnistore_sink &result, const omnistore_set_request &request, std::int64_t expiry);

/// Returns the outcome of SET, or of the script that sets.
omnistore_status outcome_of_set(const redisReply &reply);

} // namespace redis
