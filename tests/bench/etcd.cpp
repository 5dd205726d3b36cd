// SPDX-License-Identifier: Apache-2.0
// bench_etcd KEYS: the etcd driver through the whole stack, beside the same transactions by curl alone, with one kept
// connection, which neither reads the response's JSON nor decodes a value.
#include <memory>
#include <string>
#include <vector>

#include <curl/curl.h>

#include <omnistore/storage.hpp>

#include "support/etcd_server.hpp"
#include "transport/base64.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 100;
constexpr std::size_t batch = 100;

omnistore::Storage open_etcd(const test::EtcdCluster &etcd) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "etcd";
  config.mounts[""].store.options = "{" + etcd.endpoints() + "}";
  return omnistore::Storage(config);
}

struct Bench {
  explicit Bench(std::uint32_t count)
      : keys(bench::shuffled_keys(count)), at(keys.size()), storage(open_etcd(etcd)),
        easy(curl_easy_init(), &curl_easy_cleanup) {
    for (std::uint32_t i = 0; i < count; ++i) storage.set(keys[i], bench::value(value_size, i));
  }

  std::vector<std::string> keys;
  bench::Ring at;
  test::EtcdCluster etcd;
  omnistore::Storage storage;
  std::unique_ptr<CURL, void (*)(CURL *)> easy;
};

bench::Result ours_batch_get(Bench &bench, double seconds) {
  std::vector<std::string> keys(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (std::string &each : keys) each = bench.keys[bench.at.next()];
    for (const auto &each : bench.storage.get_many(keys))
      bench::require(each.entry.value.size() == value_size, "a miss");
  });
}

bench::Result raw_batch_get(Bench &bench, double seconds) {
  const std::string url = bench.etcd.url() + "/v3/kv/txn";
  std::string text;
  CURL *const easy = bench.easy.get();
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
  curl_easy_setopt(
      easy, CURLOPT_WRITEFUNCTION, +[](char *data, std::size_t, std::size_t size, void *to) -> std::size_t {
        static_cast<std::string *>(to)->append(data, size);
        return size;
      });
  return bench::repeat(seconds, 1, batch, [&] {
    std::string body = R"({"success":[)";
    for (std::size_t i = 0; i < batch; ++i)
      body += (i ? "," : "") + (R"({"request_range":{"key":")" + http::to_base64(bench.keys[bench.at.next()])) + "\"}}";
    body += "]}";
    text.clear();
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
    bench::require(curl_easy_perform(easy) == CURLE_OK && text.size() > batch * value_size, "a miss");
  });
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fputs("usage: bench_etcd KEYS\n", stderr);
    return 2;
  }
  Bench bench(static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10)));
  return bench::serve({
      {"ours.batch-get", [&bench](double seconds) { return ours_batch_get(bench, seconds); }},
      {"raw.batch-get", [&bench](double seconds) { return raw_batch_get(bench, seconds); }},
  });
}
