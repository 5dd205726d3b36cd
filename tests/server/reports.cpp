// SPDX-License-Identifier: Apache-2.0
// Drivers that never come back from a report: what they count, what they know of a key, what is wrong in their options.
#include <catch2/catch.hpp>

#include <chrono>
#include <string>

#include <boost/json/parse.hpp>

#include <omnistore/error.hpp>

#include "gate.hpp"

namespace json = boost::json;
using test::Answer;
using test::Client;
using test::Host;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto soon = std::chrono::seconds(8); // a second for the report, on a machine that is busy

/// Counters of one of the mounts that /stats shows.
json::value mount_stats(const json::value &stats, std::string_view point) {
  for (const json::value &mount : stats.at("mounts").as_array())
    if (mount.at("mountpoint").as_string() == point) return mount;
  throw std::runtime_error("no such mount");
}

} // namespace

TEST_CASE("Figures come without those of a driver that does not report its own, and name its store") {
  test::Gate gate;
  omnistore::Config config = gate.config(R"(, "reports": true)");
  config.mounts["well"] = gate.mount();
  Host host(config);
  for (int i = 0; i < 40; ++i) { // more than there are threads
    const auto began = Clock::now();
    const Answer answer = Client(host.admin()).ask("GET", "/stats");
    CHECK(Clock::now() - began < soon);
    REQUIRE(answer.status == 200);
    const json::value stats = json::parse(answer.body);
    CHECK(mount_stats(stats, "slow").at("counters_late").as_bool());
    CHECK(mount_stats(stats, "slow").at("counters").as_object().empty());
    CHECK_FALSE(mount_stats(stats, "well").as_object().contains("counters_late"));
    CHECK(mount_stats(stats, "well").at("counters").at("passed") == 1);
  }
  const Answer metrics = Client(host.admin()).ask("GET", "/metrics");
  CHECK(metrics.body.find("omnistore_driver_counters_late{mount=\"slow\",driver=\"gate\"} 1\n") != std::string::npos);
  CHECK(metrics.body.find("omnistore_driver_counters_late{mount=\"well\",driver=\"gate\"} 0\n") != std::string::npos);
  gate.await(1); // it was not called once more while it hangs
  gate.open();
  for (;;) {
    const json::value stats = json::parse(Client(host.admin()).ask("GET", "/stats").body);
    if (!mount_stats(stats, "slow").as_object().contains("counters_late")) break;
  }
}

TEST_CASE("An explanation leaves out a late driver's report, and names the store") {
  test::Gate gate;
  Host host(gate.config(R"(, "reports": true)"));
  for (int i = 0; i < 20; ++i) {
    const auto began = Clock::now();
    const Answer answer = Client(host.admin()).ask("GET", "/explain?key=slow:free");
    CHECK(Clock::now() - began < soon);
    REQUIRE(answer.status == 200);
    const json::value store = json::parse(answer.body).at("store");
    CHECK(store.at("driver") == "gate");
    CHECK(store.at("outcome") == "hit");
    CHECK(store.at("about_late").as_bool());
  }
  CHECK(Client(host.admin()).ask("GET", "/explain?key=k").status == 200);
  gate.open();
}

TEST_CASE("A store that hangs while its keys are explained keeps no thread from other stores") {
  test::Gate gate;
  omnistore::Config config = gate.config();
  config.admin.request_timeout = 1000;
  Host host(config);
  for (int round = 0; round < 2; ++round) {
    std::vector<std::unique_ptr<Client>> hanging;
    for (int i = 0; i < 16; ++i) {
      hanging.push_back(std::make_unique<Client>(host.admin()));
      hanging.back()->send(test::request("GET", "/explain?key=slow:hang"));
    }
    gate.await(16);
    for (const auto &client : hanging) CHECK(client->receive().status == 504);
  }
  CHECK(Client(host.admin()).ask("GET", "/explain?key=k").status == 200);
  gate.open();
}

TEST_CASE("A driver that does not come back from the check of its options is a problem of its store alone") {
  test::Gate gate;
  Host host;
  const auto began = Clock::now();
  omnistore::Config config = gate.config(R"(, "validates": true)");
  config.mounts["wrong"] = gate.mount(R"(, "gaet": "")");
  for (auto &[point, mount] : config.mounts) mount.store.path = "mounts." + point;
  std::string said;
  try {
    host.storage.reload(config);
  } catch (const omnistore::Error &error) {
    said = error.what();
  }
  CHECK(Clock::now() - began < soon);
  CHECK_THAT(said, Catch::Contains("driver gate has not come back from checking them after 2 s"));
  CHECK_THAT(said, Catch::Contains("mounts.slow.options"));
  CHECK_THAT(said, Catch::Contains("mounts.wrong.options"));
  CHECK(Client(host.http()).ask("PUT", "/k", "v").status == 200);
  CHECK(Client(host.admin()).ask("PUT", "/mounts/x", R"({"driver": "memory"})").status == 200);
  gate.open();
}
