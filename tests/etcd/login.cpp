// SPDX-License-Identifier: Apache-2.0
// Users of etcd, and members with TLS.
#include <cstdlib>

#include <catch2/catch.hpp>

#include "etcd/watched.hpp"
#include "support/tls_front.hpp"

using namespace test;

namespace {

/// A member with authentication, and a user who may use the prefix p/.
struct Guarded {
  Host host;
  EtcdCluster etcd;
  Guarded() {
    const Gateway gateway(etcd.url());
    const auto name = [](const char *text) { return R"({"name":")" + std::string(text) + "\"}"; };
    gateway("/v3/auth/role/add", name("root"));
    gateway("/v3/auth/role/add", name("app"));
    gateway("/v3/auth/role/grant", R"({"name":"app","perm":{"permType":"READWRITE","key":"cC8=","range_end":"cDA="}})");
    for (const char *user : {"root", "app"}) {
      gateway("/v3/auth/user/add", R"({"name":")" + std::string(user) + R"(","password":"open-sesame"})");
      gateway("/v3/auth/user/grant", R"({"user":")" + std::string(user) + R"(","role":")" + user + "\"}");
    }
    gateway("/v3/auth/enable", "{}");
  }
  static std::string as(const char *user, const char *password) {
    return "," + option("user", user) + "," + option("password", password);
  }
};

} // namespace

TEST_CASE("a user with a password reads, writes and watches within its role") {
  Guarded g;
  Store store(g.host, g.etcd, "p/", Guarded::as("app", "open-sesame"));
  Watched watch(store);
  REQUIRE(store.set("a", "1", {.expiry = g.host.time + 60'000}) == OMNISTORE_OK);
  CHECK(store.get("a") == "1");
  CHECK(watch.next() == std::vector<Heard>{update("a")});
}

TEST_CASE("a wrong password is denied, and the message does not show it") {
  Guarded g;
  Store store(g.host, g.etcd, "p/", Guarded::as("app", "let-me-in"));
  CHECK(store.set("a", "1") == OMNISTORE_DENIED);
  CHECK(store.message().find("authentication failed, invalid user ID or password") != std::string::npos);
  CHECK(store.message().find("let-me-in") == std::string::npos);
}

TEST_CASE("an etcd that wants a user says which options to set") {
  Guarded g;
  Store store(g.host, g.etcd, "p/");
  CHECK(store.set("a", "1") == OMNISTORE_DENIED);
  CHECK(store.message().find("the options user and password") != std::string::npos);
}

TEST_CASE("a key that the role does not permit is denied") {
  Guarded g;
  Store store(g.host, g.etcd, "q/", Guarded::as("app", "open-sesame"));
  CHECK(store.set("a", "1") == OMNISTORE_DENIED);
  CHECK(store.message().find("permission denied") != std::string::npos);
}

TEST_CASE("a token that etcd has forgotten is replaced by a new one") {
  Guarded g;
  Store store(g.host, g.etcd, "p/", Guarded::as("app", "open-sesame"));
  REQUIRE(store.set("a", "1") == OMNISTORE_OK);
  const std::string login =
      Gateway(g.etcd.url())("/v3/auth/authenticate", R"({"name":"root","password":"open-sesame"})");
  const std::size_t at = login.find("\"token\":\"") + 9;
  const Gateway root(g.etcd.url(), login.substr(at, login.find('"', at) - at));
  root("/v3/auth/user/changepw", R"({"name":"app","password":"open-sesame"})"); // which ends the user's tokens
  CHECK(store.get("a") == "1");
  CHECK(store.set("a", "2") == OMNISTORE_OK);
}

TEST_CASE("a member with TLS is used if its certificate is trusted, and else refused") {
  Host host;
  Folder folder;
  const std::string url = shared_etcd().url();
  TlsFront front(static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1))));
  write_file(folder / "ca.pem", front.certificate());
  const std::string at = "{\"endpoints\":[\"" + front.url() + "\"]," + option("prefix", own_prefix());
  Driven trusted(etcd_driver()), other(etcd_driver());
  trusted.open(host, at + "," + option("ca", folder / "ca.pem") + "}");
  other.open(host, at + "}");
  CHECK(trusted.set("a", "1") == OMNISTORE_OK);
  CHECK(trusted.get("a") == "1");
  CHECK(other.set("a", "1") == OMNISTORE_UNAVAILABLE);
  CHECK(other.message().find("certificate") != std::string::npos);
}

TEST_CASE("a member that checks clients takes one with a certificate, and no other") {
  Host host;
  Folder folder;
  const std::string made = "cd '" + folder.path().string() +
                           "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
                           "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -addext "
                           "extendedKeyUsage=serverAuth,clientAuth -keyout key.pem -out cert.pem 2>/dev/null";
  REQUIRE(std::system(made.c_str()) == 0);
  const std::string certificate = folder / "cert.pem", key = folder / "key.pem";
  const EtcdCluster etcd(
      1, {"--cert-file", certificate, "--key-file", key, "--trusted-ca-file", certificate, "--client-cert-auth"},
      "https");
  Store good(host, etcd, "p/",
             "," + option("ca", certificate) + "," + option("certificate", certificate) + "," + option("key", key));
  Store bare(host, etcd, "p/", "," + option("ca", certificate));
  CHECK(good.set("a", "1") == OMNISTORE_OK);
  CHECK(good.get("a") == "1");
  CHECK(bare.set("a", "1") == OMNISTORE_UNAVAILABLE);
}
