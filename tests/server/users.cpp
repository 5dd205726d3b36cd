// SPDX-License-Identifier: Apache-2.0
// Access to the admin listener: by user if there are no tokens, by the bases of the token if there are.
#include <memory>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <sys/fsuid.h>
#include <unistd.h>

#include "http/peer.hpp"
#include "routes/wrong_tokens.hpp"
#include "support/log_lines.hpp"

#include "host.hpp"

using namespace omnistore::http;
using omnistore::routes::WrongTokens;
using test::Answer;
using test::Client;
using test::Host;
namespace asio = boost::asio;
using asio::ip::tcp;
using test::bearer;

namespace {

constexpr uid_t nobody = 65534;

/// While it lives, the sockets that this thread opens are another user's.
class AsNobody {
public:
  AsNobody() { ::setfsuid(nobody); }
  ~AsNobody() { ::setfsuid(::geteuid()); }
  AsNobody(const AsNobody &) = delete;
  AsNobody &operator=(const AsNobody &) = delete;
};

std::unique_ptr<Client> client_of_nobody(const std::string &address) {
  const AsNobody other;
  return std::make_unique<Client>(address);
}

bool can_be_another() {
  if (::geteuid() == 0) return true;
  WARN("not run: only root can be another user");
  return false;
}

/// Two ends of a connection within this process.
struct Pair {
  asio::io_context context;
  tcp::acceptor acceptor;
  tcp::socket near{context}, far{context};

  explicit Pair(const char *address, bool mapped = false)
      : acceptor(context, tcp::endpoint(asio::ip::make_address(address), 0)) {
    tcp::endpoint to = acceptor.local_endpoint();
    if (mapped) to.address(asio::ip::make_address_v6(asio::ip::v4_mapped, to.address().to_v4()));
    far.connect(to);
    acceptor.accept(near);
  }
  Ends ends() const { return {near.remote_endpoint(), near.local_endpoint()}; }
};

/// Mounts at "a", "a:b" and "other", and a token that may see "a".
omnistore::Config tenants() {
  omnistore::Config config = test::memory_config();
  for (const char *point : {"a", "a:b", "other"}) config.mounts[point].store.driver = "memory";
  config.admin.tokens = {{"part", true, {"a"}}, {"whole", false, {}}};
  return config;
}

} // namespace

TEST_CASE("both of the kernel's interfaces give the user at the other end") {
  const Pair pairs[] = {Pair("127.0.0.1"), Pair("::1"), Pair("127.0.0.1", true)};
  for (const Pair &pair : pairs) {
    INFO(pair.ends().from);
    CHECK(user_from_diag(pair.ends()) == ::geteuid());
    CHECK(user_from_table(pair.ends()) == ::geteuid());
  }
}

TEST_CASE("a client that has closed its socket belongs to nobody, although the kernel says root") {
  Pair pair("127.0.0.1");
  const Ends ends = pair.ends();
  pair.far.close();
  CHECK_FALSE(user_from_diag(ends));
  CHECK_FALSE(user_from_table(ends));
  CHECK_FALSE(Peer(pair.near.native_handle()).user());
}

TEST_CASE("a peer without a socket belongs to nobody") {
  CHECK_FALSE(Peer().user());
  CHECK(Peer().address().is_unspecified());
}

TEST_CASE("without tokens the admin serves its own user") {
  Host host;
  Client client(host.admin());
  CHECK(client.ask("PUT", "/mounts/x", R"({"driver": "memory"})").status == 200);
  CHECK(client.ask("GET", "/mounts").status == 200);
  CHECK(client.ask("DELETE", "/mounts/x").status == 200);
}

TEST_CASE("without tokens the admin refuses all requests of other users of the machine") {
  if (!can_be_another()) return;
  Host host;
  const auto client = client_of_nobody(host.admin());
  for (const auto &[method, path] : {std::pair("GET", "/"),
                                     {"GET", "/stats"},
                                     {"HEAD", "/mounts"},
                                     {"GET", "/mounts"},
                                     {"GET", "/drivers"},
                                     {"GET", "/reload"},
                                     {"GET", "/explain?key=a"},
                                     {"POST", "/reload"},
                                     {"DELETE", "/mounts/"}}) {
    INFO(method << " " << path);
    CHECK(client->ask(method, path).status == 403);
  }
  const Answer refused = client->ask("PUT", "/mounts/x", R"({"driver": "memory"})");
  CHECK(refused.status == 403);
  CHECK(refused.body.find("uid 0") != std::string::npos);
  CHECK(refused.body.find("uid 65534") != std::string::npos);
  CHECK(refused.body.find("admin.tokens") != std::string::npos);
  CHECK(host.storage.mounts().size() == 1);
}

TEST_CASE("without tokens other users of the machine see health, readiness and metrics") {
  if (!can_be_another()) return;
  omnistore::Config config = test::memory_config();
  Host host(config);
  const auto client = client_of_nobody(host.admin());
  CHECK(client->ask("GET", "/health").status == 200);
  CHECK(client->ask("HEAD", "/ready").status == 200);
  CHECK(client->ask("GET", "/metrics").body.find("omnistore_connections") != std::string::npos);
}

TEST_CASE("a config can open the admin to every user of the machine") {
  if (!can_be_another()) return;
  omnistore::Config config = test::memory_config();
  config.admin.any_user = true;
  Host host(config);
  CHECK(client_of_nobody(host.admin())->ask("PUT", "/mounts/x", R"({"driver": "memory"})").status == 200);
}

TEST_CASE("with tokens they alone decide, whichever user sends them") {
  if (!can_be_another()) return;
  Host host(tenants());
  CHECK(client_of_nobody(host.admin())->ask("GET", "/drivers", {}, bearer("whole")).status == 200);
  CHECK(Client(host.admin()).ask("GET", "/drivers").status == 401);
}

TEST_CASE("a request that its client does not wait for changes nothing") {
  if (!can_be_another()) return;
  Host host;
  for (int i = 0; i < 20; ++i) {
    const auto client = client_of_nobody(host.admin());
    client->send(test::request("PUT", "/mounts/x", R"({"driver": "memory"})"));
  }
  Client(host.admin()).ask("GET", "/mounts"); // the admin has one thread, which has come by the others
  CHECK(host.storage.mounts().size() == 1);
}

TEST_CASE("a token with bases explains their keys alone, however a key is written") {
  Host host(tenants());
  Client client(host.admin());
  for (const char *key : {"a:x", "a/x", "a:b:x", "/a//x", "a:x$"}) {
    INFO(key);
    CHECK(client.ask("GET", "/explain?key=" + std::string(key), {}, bearer("part")).status == 200);
  }
  for (const char *key : {"secret:x", "a", "ab:x", "other:x", "x:a:x", "other%3Ax", "%2Fother/x"}) {
    INFO(key);
    const Answer answer = client.ask("GET", "/explain?key=" + std::string(key), {}, bearer("part"));
    CHECK(answer.status == 403);
    CHECK(answer.body.find("memory") == std::string::npos);
  }
  CHECK(client.ask("GET", "/explain?key=a/../other/x", {}, bearer("part")).status == 400);
  CHECK(client.ask("GET", "/explain?key=secret:x", {}, bearer("whole")).status == 200);
}

TEST_CASE("a token with bases sees the mounts in them and no others") {
  Host host(tenants());
  Client client(host.admin());
  for (const char *path : {"/mounts", "/stats"}) {
    INFO(path);
    const Answer answer = client.ask("GET", path, {}, bearer("part"));
    const boost::json::value seen = boost::json::parse(answer.body);
    const boost::json::array &mounts = seen.at("mounts").as_array();
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].at("mountpoint") == "a");
    CHECK(mounts[1].at("mountpoint") == "a:b");
    CHECK_FALSE(seen.as_object().contains("listeners"));
  }
  const std::string metrics = client.ask("GET", "/metrics", {}, bearer("part")).body;
  CHECK(metrics.find("mount=\"a\"") != std::string::npos);
  for (const char *hidden : {"mount=\"other\"", "mount=\"\"", "omnistore_connections", "process_"}) {
    INFO(hidden);
    CHECK(metrics.find(hidden) == std::string::npos);
  }
}

TEST_CASE("a token with bases learns nothing of the whole host and changes nothing") {
  Host host(tenants());
  Client client(host.admin());
  CHECK(client.ask("GET", "/", {}, bearer("part")).status == 200);
  for (const auto &[method, path] : {std::pair("GET", "/drivers"),
                                     {"HEAD", "/drivers"},
                                     {"GET", "/reload"},
                                     {"POST", "/reload"},
                                     {"PUT", "/mounts/a:c"},
                                     {"DELETE", "/mounts/a"}}) {
    INFO(method << " " << path);
    CHECK(client.ask(method, path, {}, bearer("part")).status == 403);
  }
}

TEST_CASE("wrong tokens are slowed while the right one passes at once") {
  omnistore::Config config = tenants();
  config.admin.idle_timeout = 400; // so that the loop looks at its connections every 100 ms
  config.admin.request_timeout = 400;
  Host host(config);
  Client client(host.admin());
  for (int i = 0; i < 10; ++i) CHECK(client.ask("GET", "/stats", {}, bearer("wrong")).status == 401);
  client.send(test::request("GET", "/stats", {}, bearer("wrong")));
  CHECK_FALSE(client.readable_within(200));
  CHECK(Client(host.admin()).ask("GET", "/stats", {}, bearer("whole")).status == 200);
  const Answer slowed = client.receive();
  CHECK(slowed.status == 429);
  CHECK(slowed.header("retry-after") == "60");
  CHECK(client.ask("GET", "/stats", {}, bearer("whole")).status == 200);
  const std::string metrics = Client(host.admin()).ask("GET", "/metrics", {}, bearer("whole")).body;
  CHECK(metrics.find("omnistore_wrong_tokens_total{listener=\"admin\"} 11\n") != std::string::npos);
}

TEST_CASE("wrong tokens of the data listener are slowed too") {
  omnistore::Config config = test::memory_config();
  config.http.tokens = {{"right", false, {}}};
  Host host(config);
  Client client(host.http());
  for (int i = 0; i < 10; ++i) client.ask("GET", "/a", {}, bearer("wrong"));
  CHECK(client.ask("PUT", "/a", "value", bearer("wrong")).status == 429);
  CHECK(client.ask("GET", "/a", {}, bearer("right")).status == 404);
}

TEST_CASE("a host stops at once although it holds back the response to a wrong token") {
  omnistore::Config config = test::memory_config();
  config.http.tokens = {{"right", false, {}}};
  Host host(config);
  Client client(host.http());
  for (int i = 0; i < 10; ++i) client.ask("GET", "/a", {}, bearer("wrong"));
  client.send(test::request("GET", "/a", {}, bearer("wrong")));
  CHECK_FALSE(client.readable_within(50));
  host.server.stop(std::chrono::seconds(10));
  CHECK(client.receive().status == 429);
}

TEST_CASE("a flood of wrong tokens is a line in ten seconds") {
  test::LogLines log(test::LogLines::info);
  const auto here = asio::ip::make_address("127.0.0.1");
  const WrongTokens::Clock::time_point start{std::chrono::hours(1)};
  WrongTokens wrong("admin", 64);
  for (int i = 0; i < 1000; ++i) wrong.add(here, start + std::chrono::milliseconds(i));
  CHECK(log.lines() == std::vector<std::string>{"admin: a wrong token came from 127.0.0.1"});
  wrong.add(here, start + std::chrono::seconds(11));
  REQUIRE(log.lines().size() == 2);
  CHECK(log.lines()[1] == "admin: 1000 wrong tokens came, the last one from 127.0.0.1");
}
