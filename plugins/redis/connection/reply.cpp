// SPDX-License-Identifier: Apache-2.0
#include "connection/reply.hpp"

#include <charconv>
#include <new>

namespace redis {
namespace {

constexpr const char *other_type_error =
    "WRONGTYPE Operation against a key holding the wrong kind of value; the key holds another type than a string";

/// An error reply that starts so is one of failed_reply(). The status, a blank and the message follow.
constexpr std::string_view own_failure = "\1";

struct Kind {
  std::string_view start;
  omnistore_status status;
};

/// Errors by the start of their text. The first match counts.
constexpr Kind error_kinds[] = {
    {"NOAUTH", OMNISTORE_DENIED},
    {"NOPERM", OMNISTORE_DENIED},
    {"WRONGPASS", OMNISTORE_DENIED},
    {"DENIED", OMNISTORE_DENIED},
    {"ERR AUTH", OMNISTORE_DENIED},
    {"ERR invalid password", OMNISTORE_DENIED},
    {"READONLY", OMNISTORE_READ_ONLY},
    {"OOM", OMNISTORE_NO_SPACE},
    {"WRONGTYPE", OMNISTORE_CORRUPT},
    {"LOADING", OMNISTORE_UNAVAILABLE},
    {"BUSY", OMNISTORE_UNAVAILABLE},
    {"MASTERDOWN", OMNISTORE_UNAVAILABLE},
    {"CLUSTERDOWN", OMNISTORE_UNAVAILABLE},
    {"NOREPLICAS", OMNISTORE_UNAVAILABLE},
    {"UNBLOCKED", OMNISTORE_UNAVAILABLE},
    {"TRYAGAIN", OMNISTORE_UNAVAILABLE},
    {"ERR max number of clients", OMNISTORE_UNAVAILABLE},
    {"MOVED", OMNISTORE_UNSUPPORTED},
    {"ASK", OMNISTORE_UNSUPPORTED},
    {"CROSSSLOT", OMNISTORE_UNSUPPORTED},
    {"ERR unknown command", OMNISTORE_UNSUPPORTED},
    {"ERR string exceeds maximum allowed size", OMNISTORE_TOO_LARGE},
    {"ERR Protocol error: invalid bulk length", OMNISTORE_TOO_LARGE},
    {"ERR DB index", OMNISTORE_INVALID},
    {"ERR invalid expire", OMNISTORE_INVALID},
};

omnistore_status status_of(std::string_view error) {
  for (const Kind &kind : error_kinds) {
    if (error.starts_with(kind.start)) return kind.status;
  }
  return OMNISTORE_IO;
}

[[noreturn]] void unexpected(const redisReply &reply) {
  throw omnistore::Failure(OMNISTORE_INTERNAL,
                           "the server sent a reply of an unexpected type (" + std::to_string(reply.type) + ")");
}

} // namespace

omnistore::Failure failure_of(const redisReply &error) {
  std::string words(text_of(error));
  if (words.starts_with(own_failure)) {
    omnistore_status status = OMNISTORE_INTERNAL;
    const char *end = words.data() + words.size();
    const char *stop = std::from_chars(words.data() + own_failure.size(), end, status).ptr;
    return {status, std::string(stop, end).substr(1)};
  }
  const omnistore_status status = status_of(words);
  while (words.ends_with('.')) words.pop_back();
  if (status == OMNISTORE_CORRUPT) words = other_type_error; // the text of a script's error also contains a line number
  if (words.starts_with("MOVED") || words.starts_with("ASK") || words.starts_with("CROSSSLOT"))
    words += "; the server is a member of a cluster: set the option cluster to true";
  return {status, words};
}

Reply failed_reply(const StoredFailure &failure) {
  std::string line = "-" + std::string(own_failure) + std::to_string(failure.status) + " ";
  for (const char c : failure.message) line += c == '\r' || c == '\n' ? ' ' : c;
  line += "\r\n";
  const std::unique_ptr<redisReader, void (*)(redisReader *)> reader(redisReaderCreate(), &redisReaderFree);
  void *reply = nullptr;
  if (!reader || redisReaderFeed(reader.get(), line.data(), line.size()) != REDIS_OK ||
      redisReaderGetReply(reader.get(), &reply) != REDIS_OK || !reply)
    throw std::bad_alloc();
  return Reply(static_cast<redisReply *>(reply));
}

const redisReply &not_error(const redisReply &reply) {
  if (is_error(reply)) throw failure_of(reply);
  return reply;
}

long long integer_of(const redisReply &reply) {
  if (not_error(reply).type != REDIS_REPLY_INTEGER) unexpected(reply);
  return reply.integer;
}

std::string_view string_of(const redisReply &reply) {
  if (not_error(reply).type != REDIS_REPLY_STRING) unexpected(reply);
  return text_of(reply);
}

redisReply *const *array_of(const redisReply &reply, std::size_t count) {
  if (not_error(reply).type != REDIS_REPLY_ARRAY || reply.elements != count) unexpected(reply);
  return reply.element;
}

} // namespace redis
