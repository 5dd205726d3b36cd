// SPDX-License-Identifier: Apache-2.0
// The refusals of a real server, and how a store lives through its failures.
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "server.hpp"
#include "support/tls_front.hpp"

using namespace test;

/// A client that refuses the front's certificate closes the connection, into which the front may still write.
static const auto no_signal = std::signal(SIGPIPE, SIG_IGN);

TEST_CASE("a wrong secret is denied by a real server") {
  CHECK_THAT(refusal(options_with(shared_server().url(), "KEYID", "WRONGSECRET"), OMNISTORE_DENIED),
             Catch::Contains("secret access key") && !Catch::Contains("WRONGSECRET"));
}

TEST_CASE("an unknown access key is denied by a real server") {
  CHECK_THAT(refusal(options_with(shared_server().url(), "NOBODY"), OMNISTORE_DENIED),
             Catch::Contains("does not know this access key"));
}

TEST_CASE("a missing bucket is named by a real server") {
  CHECK_THAT(refusal(options_with(shared_server().url(), "KEYID", "VERYSECRET", "no-such-bucket"), OMNISTORE_INVALID),
             Catch::Contains("make the bucket no-such-bucket"));
}

TEST_CASE("a wrong clock is denied by a real server") {
  Host host; // its clock stands in 2023
  Driven store(s3_driver());
  CHECK_THROWS_WITH(store.open(host, "{" + shared_server().options() + "}"), Catch::Contains("clock differs by"));
}

TEST_CASE("a store goes through TLS if the certificate is trusted") {
  const TlsFront front(shared_server().port());
  const Folder folder;
  write_file(folder / "ca.pem", front.certificate());
  OverServer f(OverServer::Only{options_with(front.url()) + "," + option("ca", folder / "ca.pem")});
  CHECK(f.store.set("a", "value") == OMNISTORE_OK);
  CHECK(f.store.get("a") == "value");
}

TEST_CASE("a certificate for another name fails the requests and the message says so") {
  const TlsFront front(shared_server().port());
  const Folder folder;
  write_file(folder / "ca.pem", front.certificate());
  const std::string url = "https://localhost" + front.url().substr(front.url().rfind(':'));
  OverServer f(OverServer::Only{options_with(url) + "," + option("ca", folder / "ca.pem") + R"(,"retries":0)"});
  CHECK(f.store.set("a", "value") == OMNISTORE_UNAVAILABLE);
  CHECK_THAT(f.store.message(), Catch::Contains("certificate"));
}

TEST_CASE("the bucket may stand in the name of the host") {
  const std::string port = ":" + std::to_string(shared_server().port());
  OverServer f(OverServer::Only{options_with("http://s3.localhost" + port) + "," + option("style", "host")});
  REQUIRE(f.store.set("a", "value") == OMNISTORE_OK);
  CHECK(curl(f.path("a")) == "value");
  CHECK(f.store.list() == Keys{"a"});
}

TEST_CASE("a profile of the shared file opens a store") {
  const Folder folder;
  write_file(folder / "credentials", "[test]\naws_access_key_id = KEYID\naws_secret_access_key = VERYSECRET\n");
  setenv("AWS_SHARED_CREDENTIALS_FILE", (folder / "credentials").c_str(), 1);
  OverServer f(OverServer::Only{option("endpoint", shared_server().url()) + "," + option("bucket", "bucket") + "," +
                                option("profile", "test")});
  unsetenv("AWS_SHARED_CREDENTIALS_FILE");
  CHECK(f.store.set("a", "value") == OMNISTORE_OK);
}

TEST_CASE("a server that sends nothing ends a request with a timeout") {
  OverServer f(R"(,"idleTimeout":200)");
  REQUIRE(f.store.set("a", "value") == OMNISTORE_OK);
  shared_server().freeze();
  Got got;
  const omnistore_status status = f.store.get("a", got);
  shared_server().thaw();
  CHECK(status == OMNISTORE_TIMEOUT);
  CHECK(f.store.get("a") == "value");
}

TEST_CASE("a write waits for a server that starts again") {
  OverServer f(R"(,"retries":20)");
  REQUIRE(f.store.set("a", "old") == OMNISTORE_OK);
  shared_server().kill();
  CHECK(f.store.set("a", "new") == OMNISTORE_OK);
  CHECK(f.store.get("a") == "new");
}

TEST_CASE("a server that is gone fails a request after the retries and its store stays open") {
  OverServer f(R"(,"retries":1)");
  shared_server().kill();
  CHECK(f.store.set("a", "value") == OMNISTORE_UNAVAILABLE);
  CHECK_THAT(f.store.message(), Catch::Contains(shared_server().url().substr(7)));
  OverServer back(R"(,"retries":20)");
  CHECK(back.store.set("b", "value") == OMNISTORE_OK); // the server is there again
  CHECK(f.store.set("a", "value") == OMNISTORE_OK);
}
