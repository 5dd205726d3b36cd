// SPDX-License-Identifier: Apache-2.0
// TLS to a server whose certificate is signed by an authority of the test's own.
#include "driven.hpp"
#include "support/certificates.hpp"

using namespace test;

namespace {

struct Secured {
  Authority authority;
  PostgresServer server;
  Host host;

  explicit Secured(const std::string &names) : server(tls(authority, names)) {}

  static PostgresServer::Tls tls(const Authority &authority, const std::string &names) {
    const Authority::Pair made = authority.pair("server", names);
    return {made.cert, made.key};
  }
  std::string options(const std::string &ca) const {
    return R"("host":"127.0.0.1","port":)" + std::to_string(server.port()) +
           R"(,"user":"test","database":"postgres","sslmode":"verify-full","sslrootcert":")" + ca + '"';
  }
  std::pair<omnistore_status, std::string> refusal(const std::string &ca) {
    try {
      const Store store(host, options(ca));
    } catch (const StatusError &refused) {
      return {refused.status, refused.what()};
    }
    return {OMNISTORE_OK, ""};
  }
};

} // namespace

TEST_CASE("a server whose name and authority are right is used over TLS") {
  Secured f("IP:127.0.0.1");
  Store store(f.host, f.options(f.authority.ca()));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(store.get("k") == "v");
  CHECK(Sql(f.server, "postgres")("SELECT count(*) > 0 FROM pg_stat_ssl WHERE ssl") == "t");
}

TEST_CASE("a server whose certificate has another name is denied, and the message has both names") {
  Secured f("DNS:other.test");
  const auto [status, message] = f.refusal(f.authority.ca());
  CHECK(status == OMNISTORE_DENIED);
  CHECK_THAT(message, Catch::Contains("other.test") && Catch::Contains("127.0.0.1"));
}

TEST_CASE("a server of an unknown authority is denied, and the message names the option") {
  Secured f("IP:127.0.0.1");
  const Authority other;
  const auto [status, message] = f.refusal(other.ca());
  CHECK(status == OMNISTORE_DENIED);
  CHECK_THAT(message, Catch::Contains("certificate") && Catch::Contains("sslrootcert"));
}
