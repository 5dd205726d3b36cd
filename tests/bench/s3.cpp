// SPDX-License-Identifier: Apache-2.0
// bench_s3: streams of 64 MiB through the s3 driver and the whole stack, beside curl alone with one kept connection,
// which signs each request and the hash of its body as the driver does, and sends the value in one PUT.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <curl/curl.h>
#include <openssl/evp.h>

#include <omnistore/storage.hpp>

#include "support/rados_gateway.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 64 << 20;

/// The bytes of a value in memory, for either side to read piece by piece.
class Bytes : public omnistore::Source {
public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}
  std::size_t read(char *into, std::size_t capacity) override {
    const std::size_t count = std::min(capacity, rest_.size());
    std::memcpy(into, rest_.data(), count);
    rest_.remove_prefix(count);
    return count;
  }

private:
  std::string_view rest_;
};

/// Counts the bytes of a value and drops them.
struct Counter : omnistore::Reader {
  std::size_t count = 0;
  char *begin(const omnistore::Meta &) override { return nullptr; }
  void write(std::string_view bytes) override { count += bytes.size(); }
};

omnistore::Storage open_s3(const test::RadosGateway &server) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "s3";
  config.mounts[""].store.options = "{" + server.options() + "}";
  return omnistore::Storage(config);
}

struct Bench {
  test::RadosGateway server;
  omnistore::Storage storage = open_s3(server);
  std::string value = bench::value(value_size, 1);
  std::unique_ptr<CURL, void (*)(CURL *)> easy{curl_easy_init(), &curl_easy_cleanup};

  Bench() { storage.set("ours", value); }
};

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    (text += "0123456789abcdef"[digest[i] >> 4]) += "0123456789abcdef"[digest[i] & 15];
  return text;
}

/// One signed request for the object that the driver's key `ours` or curl's own stands for.
void request(Bench &bench, const char *object, std::string_view body, std::size_t &received) {
  CURL *const easy = bench.easy.get();
  curl_easy_reset(easy);
  const std::string url = bench.server.url() + "/bucket/" + object;
  curl_slist *const headers = curl_slist_append(nullptr, ("x-amz-content-sha256: " + sha256(body)).c_str());
  Bytes source(body);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
  curl_easy_setopt(easy, CURLOPT_USERPWD, "KEYID:VERYSECRET");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &received);
  curl_easy_setopt(
      easy, CURLOPT_WRITEFUNCTION, +[](char *, std::size_t, std::size_t size, void *to) -> std::size_t {
        *static_cast<std::size_t *>(to) += size;
        return size;
      });
  if (!body.empty()) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_READDATA, &source);
    curl_easy_setopt(
        easy, CURLOPT_READFUNCTION, +[](char *into, std::size_t, std::size_t size, void *from) {
          return static_cast<Bytes *>(from)->read(into, size);
        });
  }
  const CURLcode code = curl_easy_perform(easy);
  curl_slist_free_all(headers);
  bench::require(code == CURLE_OK, curl_easy_strerror(code));
}

bench::Result ours_in(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, value_size >> 20, [&] {
    Bytes source(bench.value);
    bench.storage.set("ours", source, value_size);
  });
}

bench::Result raw_in(Bench &bench, double seconds) {
  std::size_t received = 0;
  return bench::repeat(seconds, 1, value_size >> 20, [&] { request(bench, "curl", bench.value, received); });
}

bench::Result ours_out(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, value_size >> 20, [&] {
    Counter counter;
    bench::require(bench.storage.read("ours", counter) && counter.count == value_size, "a miss");
  });
}

bench::Result raw_out(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, value_size >> 20, [&] {
    std::size_t received = 0;
    request(bench, "ours", {}, received);
    bench::require(received == value_size, "a miss");
  });
}

} // namespace

int main() {
  Bench bench;
  return bench::serve({
      {"ours.in", [&bench](double seconds) { return ours_in(bench, seconds); }},
      {"raw.in", [&bench](double seconds) { return raw_in(bench, seconds); }},
      {"ours.out", [&bench](double seconds) { return ours_out(bench, seconds); }},
      {"raw.out", [&bench](double seconds) { return raw_out(bench, seconds); }},
  });
}
