// SPDX-License-Identifier: Apache-2.0
// bench_redis_cluster KEYS: batches of the redis driver in a cluster through the whole stack, beside bare hiredis with
// a pipeline to each master of the same cluster. The servers share the second core.
#include <array>
#include <memory>

#include <hiredis/hiredis.h>

#include <omnistore/storage.hpp>

#include "servers/slots.hpp"
#include "support/redis_cluster.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 100;
constexpr std::size_t batch = 100;
constexpr std::size_t masters = 3;

std::unique_ptr<test::RedisCluster> start_cluster() {
  bench::run_on(1);
  auto cluster = std::make_unique<test::RedisCluster>(masters);
  bench::run_on(0);
  return cluster;
}

omnistore::Storage open_redis(const test::RedisCluster &cluster) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "redis";
  config.mounts[""].store.options = "{" + cluster.options() + "}";
  return omnistore::Storage(config);
}

struct Free {
  void operator()(redisReply *reply) const { freeReplyObject(reply); }
  void operator()(redisContext *context) const { redisFree(context); }
};
using Reply = std::unique_ptr<redisReply, Free>;

struct Bench {
  explicit Bench(std::uint32_t count)
      : keys(bench::shuffled_keys(count)), at(keys.size()), cluster(start_cluster()), storage(open_redis(*cluster)),
        value(bench::value(value_size, 1)) {
    for (std::size_t i = 0; i < masters; ++i) {
      contexts[i].reset(redisConnect("127.0.0.1", cluster->servers[i].port()));
      bench::require(contexts[i] && contexts[i]->err == 0, "hiredis cannot connect");
    }
    for (std::uint32_t i = 0; i < count; ++i) storage.set(keys[i], value);
  }

  /// Runs a batch by one pipeline to each master. All get their commands before the first reply is read.
  template <class Take>
  void pipeline(std::size_t words, const char *const *texts, const std::size_t *sizes, Take take) {
    std::array<std::size_t, masters> counts{};
    for (std::size_t i = 0; i < batch; ++i) {
      const std::string &key = keys[at.next()];
      const std::size_t master = cluster->owner(redis::slot_of(key));
      std::array<const char *, 3> own_texts{texts[0], key.data(), texts[2]};
      const std::array<std::size_t, 3> own_sizes{sizes[0], key.size(), sizes[2]};
      redisAppendCommandArgv(contexts[master].get(), static_cast<int>(words), own_texts.data(), own_sizes.data());
      ++counts[master];
    }
    for (const auto &context : contexts)
      for (int done = 0; !done;)
        bench::require(redisBufferWrite(context.get(), &done) == REDIS_OK, "a lost connection");
    for (std::size_t master = 0; master < masters; ++master) {
      for (; counts[master] > 0; --counts[master]) {
        void *reply = nullptr;
        bench::require(redisGetReply(contexts[master].get(), &reply) == REDIS_OK, "a lost connection");
        take(*Reply(static_cast<redisReply *>(reply)));
      }
    }
  }

  std::vector<std::string> keys;
  bench::Ring at;
  std::unique_ptr<test::RedisCluster> cluster;
  omnistore::Storage storage;
  const std::string value;
  std::array<std::unique_ptr<redisContext, Free>, masters> contexts;
};

bench::Result ours_get(Bench &bench, double seconds) {
  std::vector<std::string> asked(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &key : asked) key = bench.keys[bench.at.next()];
    const auto found = bench.storage.get_many(asked);
    bench::require(found.size() == batch, "a short answer");
    for (const auto &item : found) bench::require(item.entry.value.size() == value_size, "a miss");
  });
}

bench::Result raw_get(Bench &bench, double seconds) {
  const char *texts[] = {"GET", "", ""};
  const std::size_t sizes[] = {3, 0, 0};
  return bench::repeat(seconds, 1, batch, [&] {
    bench.pipeline(2, texts, sizes, [](const redisReply &reply) { bench::require(reply.len == value_size, "a miss"); });
  });
}

bench::Result ours_set(Bench &bench, double seconds) {
  std::vector<omnistore::SetItem> items(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &item : items) {
      item.key = bench.keys[bench.at.next()];
      item.value = bench.value;
    }
    for (const auto &outcome : bench.storage.set_many(items))
      bench::require(outcome.status == omnistore::Status::ok, "a set failed");
  });
}

bench::Result raw_set(Bench &bench, double seconds) {
  const char *texts[] = {"SET", "", bench.value.data()};
  const std::size_t sizes[] = {3, 0, bench.value.size()};
  return bench::repeat(seconds, 1, batch, [&] {
    bench.pipeline(3, texts, sizes,
                   [](const redisReply &reply) { bench::require(reply.type == REDIS_REPLY_STATUS, "a failed set"); });
  });
}

} // namespace

int main(int argc, char **argv) {
  return bench::serve_keys<Bench>("bench_redis_cluster", argc, argv,
                                  {{"ours.batch-get", ours_get},
                                   {"ours.batch-set", ours_set},
                                   {"raw.batch-get", raw_get},
                                   {"raw.batch-set", raw_set}});
}
