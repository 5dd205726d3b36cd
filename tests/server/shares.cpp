// SPDX-License-Identifier: Apache-2.0
// Threads and memory: what one mount or one client takes, no other lacks.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include "client.hpp"
#include "gate.hpp"
#include "patient.hpp"
#include "support/temporary.hpp"

namespace json = boost::json;
using test::Answer;
using test::Client;
using test::Host;

namespace {

/// Long enough that a thread of the pool takes a request up first, also on a machine that is busy; in milliseconds.
constexpr std::int64_t turn_time = 2000;

constexpr std::size_t kib = 1024, mebibyte = 1024 * kib;

json::value figures(const Host &host) { return json::parse(Client(host.admin()).ask("GET", "/stats").body); }

std::uint64_t memory(const Host &host, const char *name) {
  return figures(host).at("memory").at(name).to_number<std::uint64_t>();
}

/// A config with memory at the root and files at `files:`, and so much memory for requests.
omnistore::Config small_config(const test::Folder &folder, std::uint64_t most) {
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  config.max_memory = most;
  return config;
}

/// A client that has sent a request and takes next to nothing of its response.
std::unique_ptr<Client> slow_reader(const Host &host, const std::string &target, std::size_t taken = 4 * kib) {
  auto client = std::make_unique<Client>(host.http());
  client->hold_back(static_cast<int>(taken));
  client->send(test::request("GET", target));
  return client;
}

} // namespace

TEST_CASE("Fifty stores that hang leave a healthy one and the figures alone", "[long]") {
  const test::Folder folder;
  omnistore::Config config = test::patient_config(3'600'000);
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  config.http.idle_timeout = 1000;
  constexpr int mounts = 50, each = 17; // one more than a store has threads
  for (int i = 0; i < mounts; ++i) config.mounts["slow" + std::to_string(i)].store.driver = "patient";
  Host host(config);
  std::vector<std::unique_ptr<Client>> hanging;
  for (int i = 0; i < mounts; ++i) {
    for (int j = 0; j < each; ++j) {
      hanging.push_back(std::make_unique<Client>(host.http()));
      hanging.back()->send(test::request(j % 2 ? "HEAD" : "GET", "/slow" + std::to_string(i) + "/k"));
    }
    test::await_calls(host.storage, "slow" + std::to_string(i), 16);
  }
  Client client(host.http());
  CHECK(client.ask("PUT", "/files/k", "v").status == 200);
  CHECK(client.ask("GET", "/files/k").body == "v");
  CHECK(client.ask("GET", "/files/").status == 200);
  CHECK(Client(host.admin()).ask("GET", "/metrics").status == 200);
  const json::value now = figures(host);
  CHECK(now.at("threads").at("waiting") == mounts);
  CHECK(now.at("threads").at("total").to_number<int>() >= mounts * 16);
}

TEST_CASE("A thread that hangs in a driver is replaced and shown, and continues when the driver returns") {
  test::Gate gate;
  omnistore::Config config = gate.config();
  config.http.request_timeout = turn_time;
  config.http.idle_timeout = 1000;
  Host host(config);
  const auto hanging = test::hang(host, 16);
  gate.await(16);
  for (const auto &client : hanging) CHECK(client->receive().status == 504);
  const json::value now = figures(host);
  CHECK(now.at("threads").at("stuck") == 16);
  CHECK(now.at("threads").at("lanes").at(0).at("stuck") == 16);
  CHECK(Client(host.http()).ask("GET", "/slow/free").body == "free"); // by another thread
  CHECK(Client(host.admin()).ask("GET", "/metrics").body.find("omnistore_threads{state=\"stuck\"} 16") !=
        std::string::npos);
  gate.open();
  while (figures(host).at("threads").at("stuck") != 0) std::this_thread::yield();
}

TEST_CASE("A store whose threads all hang responds with 503 at once") {
  test::Gate gate;
  omnistore::Config config = gate.config();
  config.http.request_timeout = turn_time;
  config.http.idle_timeout = 1000;
  Host host(config);
  for (int round = 0; round < 2; ++round) {
    const auto hanging = test::hang(host, 16);
    gate.await(16);
    for (const auto &client : hanging) CHECK(client->receive().status == 504);
  }
  const Answer answer = Client(host.http()).ask("GET", "/slow/free");
  CHECK(answer.status == 503);
  CHECK(answer.header("retry-after") == "1");
  gate.open();
}

TEST_CASE("The store that takes the place of one that hangs has all of its threads") {
  test::Gate old, fresh;
  omnistore::Config config = old.config();
  config.http.request_timeout = turn_time;
  config.http.idle_timeout = 1000;
  Host host(config);
  for (int round = 0; round < 2; ++round) {
    const auto hanging = test::hang(host, 16);
    old.await(16);
    for (const auto &client : hanging) CHECK(client->receive().status == 504);
  }
  CHECK(Client(host.http()).ask("GET", "/slow/free").status == 503);
  host.storage.mount("slow", fresh.mount());
  CHECK(Client(host.http()).ask("GET", "/slow/free").body == "free");
  CHECK(Client(host.http()).ask("GET", "/").status == 200); // a listing that spans it
  const auto hanging = test::hang(host, 16);
  fresh.await(16); // each has a thread
  const json::value now = figures(host);
  const json::value &drains = now.at("draining").at(0);
  CHECK(drains.at("mountpoint") == "slow");
  CHECK(drains.at("calls") == 32);
  for (const json::value &lane : now.at("threads").at("lanes").as_array()) {
    CHECK(lane.at("lane") == "mount slow");
    const bool is_old = lane.at("store") == drains.at("store");
    CHECK(lane.at("stuck") == (is_old ? 32 : 0));
    CHECK(lane.at("working") == (is_old ? 0 : 16));
  }
  CHECK(now.at("threads").at("lanes").as_array().size() == 2);
  CHECK(Client(host.admin()).ask("GET", "/metrics").body.find("omnistore_draining_stores{state=\"in use\"} 1\n") !=
        std::string::npos);
  old.open();
  fresh.open();
}

TEST_CASE("Memory that is kept for the next long value gives way to other requests", "[long]") {
  const test::Folder folder;
  Host host(small_config(folder, 8 * mebibyte));
  host.storage.set("files:k", std::string(900 * kib, 'v'));
  for (int i = 0; i < 20; ++i) CHECK(Client(host.http()).ask("GET", "/files/k").body.size() == 900 * kib);
  CHECK(memory(host, "spare") > 0);
  const std::string body(6 * mebibyte, 'v');
  CHECK(Client(host.http()).ask("PUT", "/long", body).status == 200);
  CHECK(memory(host, "used") + memory(host, "spare") <= 8 * mebibyte);
  CHECK((Client(host.http()).ask("GET", "/long").body == body));
}

TEST_CASE("The memory of connections, and of long values that drivers hold, is counted") {
  const test::Folder folder;
  Host host(small_config(folder, 64 * mebibyte));
  host.storage.set("files:long", std::string(16 * mebibyte, 'v'));
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(std::make_unique<Client>(host.http()));
    CHECK(idle.back()->ask("GET", "/none").status == 404);
  }
  CHECK(memory(host, "used") > 100 * kib);
  const auto before = memory(host, "used");
  std::vector<std::unique_ptr<Client>> readers;
  for (int i = 0; i < 8; ++i) {
    readers.push_back(slow_reader(host, "/files/long"));
    CHECK(readers.back()->head().status == 200);
  }
  // Each has a piece in the driver, beside those on their way.
  while (memory(host, "used") < before + std::uint64_t{8} * 512 * kib) std::this_thread::yield();
  CHECK(memory(host, "peak") < before + std::uint64_t{8} * 5 * 256 * kib);
}

TEST_CASE("A value of the memory driver is not copied for each slow reader") {
  const test::Folder folder;
  Host host(small_config(folder, 4 * mebibyte));
  const std::string value(3 * mebibyte, 'v');
  host.storage.set("big", value);
  std::vector<std::unique_ptr<Client>> readers;
  for (int i = 0; i < 300; ++i) readers.push_back(slow_reader(host, "/big", i < 2 ? 256 * kib : 4 * kib));
  for (const auto &reader : readers) CHECK(reader->head().status == 200);
  CHECK(memory(host, "refused") == 0);
  CHECK(memory(host, "peak") < 4 * mebibyte);
  // They read the value of their time, whatever becomes of it.
  host.storage.set("big", "short");
  CHECK(Client(host.http()).ask("GET", "/big").body == "short");
  CHECK((readers[0]->take_all(value.size()) == value));
  host.storage.clear();
  CHECK((readers[1]->take_all(value.size()) == value));
  Client part(host.http());
  host.storage.set("big", value + "tail");
  CHECK((part.ask("GET", "/big", {}, "Range: bytes=1-\r\n").body == value.substr(1) + "tail"));
  part.send(test::request("GET", "/big") + test::request("GET", "/big")); // one after the other
  for (int i = 0; i < 2; ++i) CHECK(part.receive().body.size() == value.size() + 4);
}

TEST_CASE("A store closes when all its loans are back") {
  const test::Folder folder;
  Host host(small_config(folder, 4 * mebibyte));
  omnistore::MountConfig other;
  other.store.driver = "memory";
  host.storage.mount("lends", other);
  const std::string value(3 * mebibyte, 'v');
  host.storage.set("lends:big", value);
  auto reader = slow_reader(host, "/lends/big", 256 * kib);
  CHECK(reader->head().status == 200);
  host.storage.unmount("lends"); // does not wait
  CHECK(host.storage.draining().at(0).waits_for() == "1 value that a client reads");
  std::thread closing([&] { host.storage.wait_closed("lends", std::chrono::hours(1)); });
  CHECK((reader->take_all(value.size()) == value));
  closing.join();
}

TEST_CASE("Responses that nobody reads take no more memory than they may, and others continue") {
  const test::Folder folder;
  Host host(small_config(folder, 8 * mebibyte));
  host.storage.set("files:k", std::string(900 * kib, 'v')); // too short to go out in pieces
  host.storage.set("files:small", "s");
  std::vector<std::unique_ptr<Client>> readers;
  Answer head;
  while (head.status != 503 && readers.size() < 300) { // the system takes in a part of each
    readers.push_back(slow_reader(host, "/files/k"));
    head = readers.back()->head();
    CHECK((head.status == 200 || head.status == 503));
  }
  CHECK(head.status == 503);
  CHECK(head.header("retry-after") == "1");
  CHECK(memory(host, "peak") <= 8 * mebibyte + readers.size() * 64 * kib);
  CHECK(Client(host.http()).ask("GET", "/files/small").body == "s");
  CHECK(Client(host.admin())
            .ask("GET", "/metrics")
            .body.find("omnistore_request_memory_refused_total " + std::to_string(memory(host, "refused"))) !=
        std::string::npos);
  readers.clear();
  while (memory(host, "used") > 2 * mebibyte) std::this_thread::yield();
  CHECK(Client(host.http()).ask("GET", "/files/k").body.size() == 900 * kib);
}

TEST_CASE("Bodies that stop half way take no more memory than they may") {
  const test::Folder folder;
  Host host(small_config(folder, 8 * mebibyte));
  std::vector<std::unique_ptr<Client>> senders;
  const std::string body(3 * mebibyte, 'v');
  for (int i = 0; i < 8; ++i) {
    senders.push_back(std::make_unique<Client>(host.http()));
    senders.back()->send("PUT /k HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size() + 1) +
                         "\r\n\r\n" + body);
  }
  while (memory(host, "refused") == 0) std::this_thread::yield();
  CHECK(memory(host, "peak") <= 8 * mebibyte + 8 * 64 * kib);
  CHECK(Client(host.http()).ask("PUT", "/small", "s").status == 200);
  const auto refused =
      std::find_if(senders.begin(), senders.end(), [](auto &each) { return each->readable_within(0); });
  REQUIRE(refused != senders.end());
  const Answer answer = (*refused)->receive();
  CHECK(answer.status == 503);
  CHECK(answer.header("retry-after") == "1");
}

TEST_CASE("A body that is announced takes no memory before it comes") {
  const test::Folder folder;
  Host host(small_config(folder, 8 * mebibyte));
  std::vector<std::unique_ptr<Client>> senders;
  for (int i = 0; i < 200; ++i) {
    senders.push_back(std::make_unique<Client>(host.http()));
    senders.back()->send("PUT /k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\nv");
  }
  Client last(host.http());
  CHECK(last.ask("PUT", "/small", "s").status == 200);
  CHECK(memory(host, "refused") == 0);
  CHECK(memory(host, "peak") <= 200 * 40 * kib);
}

TEST_CASE("A batch that gets long values returns as many as fit", "[long]") {
  const test::Folder folder;
  omnistore::Config config = small_config(folder, 16 * mebibyte);
  config.http.max_body = 5 * mebibyte;
  Host host(config);
  for (const char *mount : {"", "files:"}) {
    const std::string key = std::string(mount) + "big";
    host.storage.set(key, std::string(2 * mebibyte, '"')); // twice as long as JSON
    std::string keys;
    for (int i = 0; i < 100; ++i) keys += (i == 0 ? "\"" : ",\"") + key + "\"";
    const Answer answer = Client(host.http()).ask("POST", "/", "{\"get\": [" + keys + "]}");
    REQUIRE(answer.status == 200);
    const json::array items = json::parse(answer.body).at("get").as_array();
    CHECK(items.at(0).at("status") == 200);
    CHECK(items.at(0).at("value").as_string().size() == 2 * mebibyte);
    CHECK(items.at(1).at("status") == 200);
    CHECK(items.at(2).at("status") == 413);
    CHECK(memory(host, "refused") == 0);
  }
  CHECK(memory(host, "peak") <= 15 * mebibyte);
}

TEST_CASE("A batch of too many items ends before they are taken in") {
  const test::Folder folder;
  omnistore::Config config = small_config(folder, 8 * mebibyte);
  Host host(config);
  std::string body = "{\"get\":[";
  for (int i = 0; i < 1'000'000; ++i) body += "0,";
  const Answer answer = Client(host.http()).ask("POST", "/", body + "0]}");
  CHECK(answer.status == 400);
  CHECK(answer.body.find("get[0]") != std::string::npos);
  body = "{\"get\":[\"k\"";
  for (int i = 0; i < 10'000; ++i) body += ",\"k\"";
  CHECK(Client(host.http()).ask("POST", "/", body).body.find("at most 10000 items") != std::string::npos); // and no end
}

TEST_CASE("A page of a listing is short if its keys are long", "[long]") {
  const test::Folder folder;
  Host host(small_config(folder, 64 * mebibyte));
  std::string longest(4000, 'k');
  for (int i = 0; i < 3000; ++i) host.storage.set("long:" + std::to_string(i) + longest, "");
  const Answer page = Client(host.http()).ask("GET", "/long/?limit=100000");
  CHECK(page.status == 200);
  CHECK(page.body.size() < 10 * mebibyte);
  CHECK_FALSE(page.header("x-cursor").empty());
  std::size_t all = 0;
  omnistore::ListOptions options;
  options.limit = 100'000;
  do {
    const omnistore::Page next = host.storage.list("long", options);
    all += next.items.size();
    options.cursor = next.cursor;
  } while (!options.cursor.empty());
  CHECK(all == 3000);
}

namespace {

/// Slow readers of `/files/big` that have all threads of its store for long values, however long that takes.
std::vector<std::unique_ptr<Client>> all_long_threads(const Host &host) {
  std::vector<std::unique_ptr<Client>> readers;
  while (readers.size() < 128) {
    readers.push_back(slow_reader(host, "/files/big"));
    if (readers.back()->head().status != 200) readers.pop_back(); // it was too late for its turn
  }
  return readers;
}

/// Returns when so many requests wait for a thread.
void await_waiting(const Host &host, std::uint64_t count) {
  while (figures(host).at("threads").at("waiting").to_number<std::uint64_t>() != count) std::this_thread::yield();
}

omnistore::Config config_of_long_values(const test::Folder &folder, std::int64_t request_timeout) {
  omnistore::Config config = small_config(folder, 256 * mebibyte);
  config.http.request_timeout = request_timeout;
  config.http.idle_timeout = 3'600'000;
  return config;
}

} // namespace

TEST_CASE("More slow readers of long values than there are threads wait for their turn") {
  const test::Folder folder;
  Host host(config_of_long_values(folder, 3'600'000));
  host.storage.set("files:big", std::string(4 * mebibyte, 'v'));
  auto readers = all_long_threads(host);
  std::vector<std::unique_ptr<Client>> waiting;
  for (int i = 0; i < 12; ++i) waiting.push_back(slow_reader(host, "/files/big"));
  await_waiting(host, 12);
  CHECK(Client(host.http()).ask("GET", "/files/").status == 200); // other requests have other threads
  readers.resize(readers.size() - 12);
  for (const auto &reader : waiting) CHECK(reader->head().status == 200);
}

TEST_CASE("A long value without a turn in half of the request's time is 503, and the connection stays") {
  const test::Folder folder;
  Host host(config_of_long_values(folder, 1000));
  host.storage.set("files:big", std::string(4 * mebibyte, 'v'));
  host.storage.set("k", "v");
  const auto readers = all_long_threads(host);
  Client client(host.http());
  for (const char *range : {"", "Range: bytes=10-3000000\r\n"}) {
    const Answer answer = client.ask("GET", "/files/big", {}, range);
    INFO(answer.body);
    CHECK(answer.status == 503);
    CHECK(answer.header("retry-after") == "1");
    CHECK(answer.body.find("nothing was done") != std::string::npos);
    CHECK(client.ask("GET", "/k").body == "v");
  }
  client.send("PUT /files/new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n" +
              std::string(2 * mebibyte, 'v'));
  const Answer answer = client.receive();
  CHECK(answer.status == 503);
  CHECK(answer.header("retry-after") == "1");
  CHECK(client.ended()); // the rest of the body is not waited for
  CHECK_FALSE(host.storage.has("files:new"));
}

TEST_CASE("Batches above several mounts wait only for the store that their keys lead to") {
  const test::Folder folder;
  test::Gate gate;
  omnistore::Config config = small_config(folder, 256 * mebibyte);
  config.mounts["slow"] = gate.mount();
  config.http.request_timeout = 3'600'000;
  Host host(config);
  std::vector<std::unique_ptr<Client>> hanging;
  for (int i = 0; i < 40; ++i) {
    hanging.push_back(std::make_unique<Client>(host.http()));
    hanging.back()->send(test::request("POST", "/", R"({"get": ["slow:hang"]})"));
  }
  gate.await(16);
  await_waiting(host, 24);
  Client client(host.http());
  CHECK(client.ask("POST", "/", R"({"set": [{"key": "files:k", "value": "v"}], "get": ["files:k", "k"]})").status ==
        200);
  CHECK(client.ask("POST", "/", R"({"set": [{"key": "k", "value": "v"}]})").status == 200);
  CHECK(client.ask("GET", "/files/k").body == "v");
  gate.open();
  for (const auto &each : hanging) CHECK(each->receive().body.find("released") != std::string::npos);
}
