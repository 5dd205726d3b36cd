// SPDX-License-Identifier: Apache-2.0
// The replies of Redis.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis/hiredis.h>

#include <omnistore/failure.hpp>

namespace redis {

struct FreeReply {
  void operator()(redisReply *reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;
using Replies = std::vector<Reply>;

inline std::string_view text_of(const redisReply &reply) { return {reply.str, reply.len}; }
inline bool is_error(const redisReply &reply) { return reply.type == REDIS_REPLY_ERROR; }
inline bool is_read_only(const redisReply &reply) { return is_error(reply) && text_of(reply).starts_with("READONLY"); }
inline bool is_nil(const redisReply &reply) { return reply.type == REDIS_REPLY_NIL; }

/// A failure that is passed between threads. Each thread throws its own copy.
struct StoredFailure {
  omnistore_status status;
  std::string message;
  omnistore::FailureDetails details = {};

  omnistore::Failure failure() const { return {status, message, details}; }
};

/// Returns the failure for an error of Redis: its status, and its text as the message.
omnistore::Failure failure_of(const redisReply &error);

/// Returns a reply that stands for a failure of the driver's own: failure_of() returns its status and message.
Reply failed_reply(const StoredFailure &failure);

/// Each throws failure_of() if the reply is an error, and Failure(OMNISTORE_INTERNAL) if it has another type.
const redisReply &not_error(const redisReply &reply);
long long integer_of(const redisReply &reply);
std::string_view string_of(const redisReply &reply);
/// Returns the elements of an array of `count`.
redisReply *const *array_of(const redisReply &reply, std::size_t count);

} // namespace redis
