// SPDX-License-Identifier: Apache-2.0
// Another client of the server under test: hiredis as it comes.
#pragma once

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis/hiredis.h>

#include "support/redis_server.hpp"

namespace test {

class RedisClient {
public:
  explicit RedisClient(const RedisServer &server)
      : context_(server.port() != 0 ? redisConnect("127.0.0.1", server.port())
                                    : redisConnectUnix(server.socket().c_str())) {
    if (!context_ || context_->err) throw std::runtime_error("another client cannot connect");
  }

  /// A string, status or error as its text, an integer as its digits, nil as "(nil)", an array's parts with ' '
  /// between.
  std::string operator()(std::initializer_list<std::string_view> words) { return text(*run(words)); }
  std::string operator()(const std::vector<std::string> &words) { return text(*run(words)); }
  /// The parts of an array.
  std::vector<std::string> strings(std::initializer_list<std::string_view> words) {
    const Reply reply = run(words);
    std::vector<std::string> parts;
    for (size_t i = 0; i < reply->elements; ++i) parts.push_back(text(*reply->element[i]));
    return parts;
  }
  long long number(std::initializer_list<std::string_view> words) { return std::stoll((*this)(words)); }

private:
  using Reply = std::unique_ptr<redisReply, void (*)(void *)>;

  template <class Words>
  Reply run(const Words &words) {
    std::vector<const char *> texts;
    std::vector<size_t> sizes;
    for (const std::string_view word : words) texts.push_back(word.data()), sizes.push_back(word.size());
    void *reply = redisCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(), sizes.data());
    if (!reply) throw std::runtime_error(std::string("another client: ") + context_->errstr);
    return {static_cast<redisReply *>(reply), &freeReplyObject};
  }
  static std::string text(const redisReply &reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    if (reply.type == REDIS_REPLY_NIL) return "(nil)";
    if (reply.type != REDIS_REPLY_ARRAY) return {reply.str, reply.len};
    std::string joined;
    for (size_t i = 0; i < reply.elements; ++i) joined += (i ? " " : "") + text(*reply.element[i]);
    return joined;
  }
  struct Free {
    void operator()(redisContext *context) const { redisFree(context); }
  };
  std::unique_ptr<redisContext, Free> context_;
};

} // namespace test
