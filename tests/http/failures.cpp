// SPDX-License-Identifier: Apache-2.0
// Failures, with their statuses and messages.
#include "driven.hpp"

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::Got;
using test::Origin;
using test::says;
using test::Store;

namespace {

/// A port of 127.0.0.1 to which connecting never ends: its queue of connections is full, and nobody takes them.
class Deaf {
public:
  Deaf() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto *where = reinterpret_cast<sockaddr *>(&address);
    const int listener = add();
    REQUIRE(::bind(listener, where, size) == 0);
    REQUIRE(::listen(listener, 0) == 0);
    REQUIRE(::getsockname(listener, where, &size) == 0);
    port = ntohs(address.sin_port);
    for (int i = 0; i < 8; ++i) ::connect(add(), where, size);
  }
  Deaf(const Deaf &) = delete;
  Deaf &operator=(const Deaf &) = delete;
  ~Deaf() {
    for (const int each : sockets_) ::close(each);
  }
  int port = 0;

private:
  int add() { return sockets_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }
  std::vector<int> sockets_;
};

std::string shown(const Origin &origin) { return "127.0.0.1:" + std::to_string(origin.port()); }

} // namespace

TEST_CASE("The status of a response decides the kind of failure") {
  struct Row {
    unsigned http;
    omnistore_status read, write;
  };
  const Row row = GENERATE(
      Row{400, OMNISTORE_INVALID, OMNISTORE_INVALID}, Row{401, OMNISTORE_DENIED, OMNISTORE_DENIED},
      Row{403, OMNISTORE_DENIED, OMNISTORE_DENIED}, Row{405, OMNISTORE_UNSUPPORTED, OMNISTORE_READ_ONLY},
      Row{408, OMNISTORE_UNAVAILABLE, OMNISTORE_UNAVAILABLE}, Row{412, OMNISTORE_CONFLICT, OMNISTORE_CONFLICT},
      Row{413, OMNISTORE_TOO_LARGE, OMNISTORE_TOO_LARGE}, Row{429, OMNISTORE_UNAVAILABLE, OMNISTORE_UNAVAILABLE},
      Row{500, OMNISTORE_UNAVAILABLE, OMNISTORE_UNAVAILABLE}, Row{501, OMNISTORE_UNSUPPORTED, OMNISTORE_UNSUPPORTED},
      Row{503, OMNISTORE_UNAVAILABLE, OMNISTORE_UNAVAILABLE}, Row{504, OMNISTORE_TIMEOUT, OMNISTORE_TIMEOUT},
      Row{507, OMNISTORE_NO_SPACE, OMNISTORE_NO_SPACE});
  CAPTURE(row.http);
  Origin origin;
  origin.serve("/k", "x");
  Store store(origin);
  Got got;
  origin.fail(1, row.http);
  CHECK(store.get("k", got) == row.read);
  CHECK(store.message() == shown(origin) + " responded to GET with " + std::to_string(row.http) + " Scripted");
  CHECK(got.begun == 0);
  origin.fail(1, row.http);
  CHECK(store.set("k", "y") == row.write);
  CHECK(store.bare.get("k") == "x");
}

TEST_CASE("The server's own message is reported, if it sends one as JSON") {
  Origin origin;
  Origin::Answer answer;
  answer.status = 400;
  answer.body = R"({"status":400,"message":"Invalid key:\n it is odd."})";
  origin.handle([&](const Origin::Request &) { return answer; });
  Store store(origin);
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_INVALID);
  CHECK(store.message() == shown(origin) + " responded to GET with 400 Scripted: Invalid key:  it is odd");
}

TEST_CASE("A server that is not there is unavailable, and the message has its address") {
  Origin origin;
  origin.stop();
  Store store(origin);
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(says(store.message(), shown(origin) + ": "));
  CHECK(says(store.message(), "Connection refused"));
  origin.start();
  origin.serve("/k", "x");
  CHECK(store.get("k", got) == OMNISTORE_OK);
}

TEST_CASE("An unknown host name is unavailable") {
  Store store("http://nobody.invalid:81");
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(says(store.message(), "nobody.invalid:81: "));
}

TEST_CASE("A server that takes no connection is unavailable when connectTimeout has passed") {
  const Deaf deaf;
  Store store("http://127.0.0.1:" + std::to_string(deaf.port), "\"connectTimeout\":100,\"timeout\":60000");
  const auto start = steady_clock::now();
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("A response that does not come is a timeout when the option's time has passed") {
  Origin origin;
  origin.serve("/k", "x");
  origin.hold();
  Store store(origin, "\"timeout\":100");
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_TIMEOUT);
  CHECK(says(store.message(), shown(origin)));
  CHECK(got.begun == 0);
}

TEST_CASE("A body that stops coming is a timeout too") {
  Origin origin;
  Origin::Answer answer;
  answer.body = std::string(1000, 'x');
  answer.pause = 500;
  origin.serve("/k", answer);
  Store store(origin, "\"timeout\":100");
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_TIMEOUT);
  CHECK(got.bytes.size() <= 500);
}

TEST_CASE("The call's own deadline ends it long before the option's time") {
  Origin origin;
  origin.hold();
  Store store(origin, "\"timeout\":60000");
  test::TimedCall call;
  const auto start = steady_clock::now();
  call.deadline = start + milliseconds(100);
  Got got;
  CHECK(store.get(call, "k", got) == OMNISTORE_TIMEOUT);
  CHECK(steady_clock::now() - start < std::chrono::seconds(20));
  origin.release();
  CHECK(origin.await_ended(1)); // nobody is there to take the response
}

TEST_CASE("A call that is cancelled ends while the response is awaited") {
  Origin origin;
  origin.hold();
  Store store(origin, "\"timeout\":60000");
  test::TimedCall call;
  call.cancelled = [&] { return origin.count() == 1; };
  const auto start = steady_clock::now();
  Got got;
  CHECK(store.get(call, "k", got) == OMNISTORE_TIMEOUT);
  CHECK(steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("A connection that ends without a response, or within the value, is unavailable") {
  Origin origin;
  Store store(origin);
  Got got;
  SECTION("without an answer") {
    origin.drop(5);
    CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  }
  SECTION("within the value") {
    Origin::Answer answer;
    answer.body = "0123456789";
    answer.cut = 4;
    answer.chunked = GENERATE(false, true);
    origin.serve("/k", answer);
    CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
    CHECK(got.bytes == "0123");
  }
  CHECK(says(store.message(), shown(origin)));
}

TEST_CASE("No secret of the options is in a message, not even if the server sends it back") {
  Origin origin;
  origin.handle([](const Origin::Request &request) {
    Origin::Answer answer;
    answer.status = 403;
    answer.body = "{\"message\":\"not with " + request.header("authorization") + ", " + request.header("x-key") + "\"}";
    return answer;
  });
  const std::string base = "http://127.0.0.1:" + std::to_string(origin.port());
  Store store(base, R"("headers":{"Authorization":"Bearer tok-12345","X-Key":"key-6789"})");
  Got got;
  REQUIRE(store.get("k", got) == OMNISTORE_DENIED);
  REQUIRE(origin.last().header("authorization") == "Bearer tok-12345");
  CHECK(says(store.message(), "not with ***, ***"));
  CHECK_FALSE(says(store.message(), "tok-12345"));
  CHECK_FALSE(says(store.message(), "key-6789"));
  CHECK(store.bare.host().lines.empty());
}

TEST_CASE("The login in the url is used and never shown") {
  Origin origin;
  origin.handle([](const Origin::Request &request) {
    Origin::Answer answer;
    answer.status = 401;
    answer.body = "{\"message\":\"not " + request.header("authorization") + "\"}";
    return answer;
  });
  const std::string address = "127.0.0.1:" + std::to_string(origin.port());
  Store store("http://us%40er:pa%3Ass@" + address + "/p");
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_DENIED);
  CHECK(origin.last().header("authorization") == "Basic dXNAZXI6cGE6c3M="); // us@er:pa:ss
  CHECK(says(store.message(), "401 Scripted: not Basic ***"));
  origin.stop();
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK_FALSE(says(store.message(), "pa:ss"));
  CHECK_FALSE(says(store.message(), "us@er"));
}
