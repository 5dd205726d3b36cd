// SPDX-License-Identifier: Apache-2.0
// A host that has no file descriptor left: ten lines a second once filled its log.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/resource.h>

#include "../server/client.hpp"
#include "program.hpp"

namespace {

std::string address_of(const std::string &url) { return url.substr(url.find("//") + 2); }

rlim_t open_files(pid_t pid) {
  const std::filesystem::directory_iterator files("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<rlim_t>(std::distance(begin(files), end(files)));
}

void limit_files(pid_t pid, rlim_t most) {
  rlimit limit{};
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  limit.rlim_cur = std::min(most, limit.rlim_max);
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

std::int64_t accept_failures(test::Client &admin) {
  const auto stats = boost::json::parse(admin.ask("GET", "/stats").body);
  for (const auto &listener : stats.at("listeners").as_array())
    if (listener.at("name") == "http") return listener.at("acceptFailures").to_number<std::int64_t>();
  throw std::runtime_error("no listener");
}

} // namespace

TEST_CASE("Without descriptors a host says once that connections wait, and serves them when there are some") {
  const test::Place place;
  test::Host host(place.config());
  test::Client admin(address_of(host.admin)); // its connection is there before
  CHECK(admin.ask("GET", "/health").status == 200);
  test::Client first(address_of(host.url));
  CHECK(first.ask("GET", "/mem/none").status == 404);
  const pid_t pid = host.process().pid();
  limit_files(pid, open_files(pid) + 4); // /stats reads files itself
  std::vector<std::unique_ptr<test::Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<test::Client>(address_of(host.url)));
    clients.back()->send(test::request("GET", "/mem/none"));
  }
  while (!test::says(host.process().error_line(), "cannot accept connections")) {
  }
  CHECK(first.ask("GET", "/mem/none").status == 404);
  limit_files(pid, 1024);
  for (auto &client : clients) CHECK(client->receive().status == 404);
  const std::int64_t failures = accept_failures(admin);
  CHECK(failures >= 1);
  const test::Result stopped = host.stop();
  CHECK(stopped.code == 0);
  CHECK(test::says(stopped.err, "accepts connections again"));
}

TEST_CASE("Connections that cannot be accepted for long cost neither a line each nor the processor") {
  const test::Place place;
  test::Host host(place.config());
  const pid_t pid = host.process().pid();
  test::Client admin(address_of(host.admin));
  CHECK(admin.ask("GET", "/health").status == 200);
  limit_files(pid, open_files(pid));
  test::Client waiting(address_of(host.url));
  waiting.send(test::request("GET", "/mem/none"));
  // Each failure is followed by a pause, so so many take a second. The processor's time is the process' own figure.
  while (accept_failures(admin) < 10) std::this_thread::yield();
  limit_files(pid, 1024);
  CHECK(waiting.receive().status == 404);
  const test::Result stopped = host.stop();
  const test::Strings lines = test::lines(stopped.err);
  CHECK(std::count_if(lines.begin(), lines.end(),
                      [](const std::string &line) { return test::says(line, "cannot accept"); }) == 1);
}
