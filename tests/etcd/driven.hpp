// SPDX-License-Identifier: Apache-2.0
// The built etcd plugin, opened by its C table, and etcd as another program sees it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <catch2/catch.hpp>
#include <curl/curl.h>

#include "support/driven.hpp"
#include "support/etcd_server.hpp"
#include "support/still_host.hpp"
#include "transport/base64.hpp"

namespace test {

inline const omnistore_driver &etcd_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/etcd.so");
  return library.driver();
}

/// The member that tests share who do not stop it: each has a prefix of its own in it.
inline const EtcdCluster &shared_etcd() {
  static const EtcdCluster cluster;
  return cluster;
}

inline std::string own_prefix() {
  static std::atomic<int> count{0};
  return "t" + std::to_string(count++) + "/";
}

class Store : public Driven {
public:
  /// `more`: further options, as JSON members after a comma.
  Store(Host &host, const EtcdCluster &cluster, std::string_view prefix, std::string_view more = "")
      : Driven(etcd_driver()) {
    open(host, "{" + cluster.endpoints() + "," + option("prefix", prefix) + std::string(more) + "}");
  }
  /// A store that knows one member alone.
  Store(Host &host, const EtcdCluster &cluster, std::string_view prefix, std::size_t member) : Driven(etcd_driver()) {
    open(host, "{\"endpoints\":[\"" + cluster.url(member) + "\"]," + option("prefix", prefix) + "}");
  }
};

/// Another program: the gateway by curl.
class Gateway {
public:
  explicit Gateway(std::string url, std::string token = "") : url_(std::move(url)), token_(std::move(token)) {}
  std::string operator()(const std::string &path, const std::string &body) const {
    const std::unique_ptr<CURL, void (*)(CURL *)> easy(curl_easy_init(), &curl_easy_cleanup);
    std::string text;
    const std::string url = url_ + path;
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(
        easy.get(), CURLOPT_WRITEFUNCTION, +[](char *data, std::size_t, std::size_t size, void *to) -> std::size_t {
          static_cast<std::string *>(to)->append(data, size);
          return size;
        });
    const std::unique_ptr<curl_slist, void (*)(curl_slist *)> login(
        curl_slist_append(nullptr, ("Authorization: " + token_).c_str()), &curl_slist_free_all);
    if (!token_.empty()) curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, login.get());
    if (const CURLcode code = curl_easy_perform(easy.get()); code != CURLE_OK)
      throw std::runtime_error(curl_easy_strerror(code));
    return text;
  }
  void put(const std::string &key, const std::string &value) const {
    (*this)("/v3/kv/put", R"({"key":")" + http::to_base64(key) + R"(","value":")" + http::to_base64(value) + "\"}");
  }
  void remove(const std::string &key) const {
    (*this)("/v3/kv/deleterange", R"({"key":")" + http::to_base64(key) + "\"}");
  }
  /// Returns the response of a range of one key, without the value.
  std::string look(const std::string &key) const {
    return (*this)("/v3/kv/range", R"({"keys_only":true,"key":")" + http::to_base64(key) + "\"}");
  }
  /// Returns the number in a response's member, such as "mod_revision":"7"; 0: there is none.
  static std::int64_t number(const std::string &response, const std::string &name) {
    const std::size_t at = response.find("\"" + name + "\":\"");
    return at == response.npos ? 0 : std::stoll(response.substr(at + name.size() + 4));
  }

private:
  const std::string url_, token_;
};

/// A host, and a store with a prefix of its own in the shared member.
struct Fixture {
  Host host;
  const std::string prefix = own_prefix();
  Store store{host, shared_etcd(), prefix};
  Gateway other{shared_etcd().url()};
};

} // namespace test
