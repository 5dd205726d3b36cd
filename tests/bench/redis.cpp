// SPDX-License-Identifier: Apache-2.0
// bench_redis KEYS: the redis driver through the whole stack, beside bare hiredis with the same server, which has the
// second core for itself.
#include <atomic>
#include <memory>
#include <thread>

#include <hiredis/hiredis.h>

#include <omnistore/storage.hpp>

#include "support/redis_server.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 100;
constexpr std::size_t batch = 100;
constexpr unsigned many = 64;

std::unique_ptr<test::RedisServer> start_server() {
  bench::run_on(1);
  auto server = std::make_unique<test::RedisServer>();
  bench::run_on(0);
  return server;
}

omnistore::Storage open_redis(const test::RedisServer &server) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "redis";
  config.mounts[""].store.options = R"({"url": ")" + server.url() + R"("})";
  return omnistore::Storage(config);
}

struct FreeReply {
  void operator()(redisReply *reply) const { freeReplyObject(reply); }
};

struct Bench {
  explicit Bench(std::uint32_t count)
      : keys(bench::shuffled_keys(count)), at(keys.size()), server(start_server()), storage(open_redis(*server)),
        context(redisConnect("127.0.0.1", server->port())) {
    bench::require(context && context->err == 0, "hiredis cannot connect");
    for (std::uint32_t i = 0; i < count; ++i) storage.set(keys[i], bench::value(value_size, i));
  }
  ~Bench() { redisFree(context); }

  std::unique_ptr<redisReply, FreeReply> ask(std::size_t words, const char *const *texts, const std::size_t *sizes) {
    void *reply = redisCommandArgv(context, static_cast<int>(words), const_cast<const char **>(texts), sizes);
    bench::require(reply != nullptr, "hiredis lost its connection");
    return std::unique_ptr<redisReply, FreeReply>(static_cast<redisReply *>(reply));
  }

  std::vector<std::string> keys;
  bench::Ring at;
  std::unique_ptr<test::RedisServer> server;
  omnistore::Storage storage;
  redisContext *context;
};

bench::Result ours_get(Bench &bench, double seconds) {
  std::string value;
  return bench::repeat(seconds, 64, 1, [&] {
    bench::require(bench.storage.get(bench.keys[bench.at.next()], value) && value.size() == value_size, "a miss");
  });
}

bench::Result raw_get(Bench &bench, double seconds) {
  return bench::repeat(seconds, 64, 1, [&] {
    const std::string &key = bench.keys[bench.at.next()];
    const char *words[] = {"GET", key.data()};
    const std::size_t sizes[] = {3, key.size()};
    bench::require(bench.ask(2, words, sizes)->len == value_size, "a miss");
  });
}

bench::Result ours_batch_get(Bench &bench, double seconds) {
  std::vector<std::string> asked(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &key : asked) key = bench.keys[bench.at.next()];
    const auto found = bench.storage.get_many(asked);
    bench::require(found.size() == batch, "a short answer");
    for (const auto &item : found) bench::require(item.entry.value.size() == value_size, "a miss");
  });
}

bench::Result raw_batch_get(Bench &bench, double seconds) {
  std::vector<const char *> words(batch + 1, "MGET");
  std::vector<std::size_t> sizes(batch + 1, 4);
  return bench::repeat(seconds, 1, batch, [&] {
    for (std::size_t i = 1; i <= batch; ++i) {
      const std::string &key = bench.keys[bench.at.next()];
      words[i] = key.data();
      sizes[i] = key.size();
    }
    const auto reply = bench.ask(words.size(), words.data(), sizes.data());
    bench::require(reply->elements == batch, "a short answer");
    for (std::size_t i = 0; i < batch; ++i) bench::require(reply->element[i]->len == value_size, "a miss");
  });
}

/// Single gets, by many threads at once.
bench::Result ours_threads_get(Bench &bench, double seconds) {
  return bench::get_by_many(bench.storage, bench.keys, many, value_size, seconds);
}

} // namespace

int main(int argc, char **argv) {
  return bench::serve_keys<Bench>("bench_redis", argc, argv,
                                  {{"ours.get", ours_get},
                                   {"ours.batch-get", ours_batch_get},
                                   {"ours.threads-get", ours_threads_get},
                                   {"raw.get", raw_get},
                                   {"raw.batch-get", raw_batch_get}});
}
