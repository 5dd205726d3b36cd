// SPDX-License-Identifier: Apache-2.0
// Calls into drivers that take too long.
#include <catch2/catch.hpp>

#include <future>
#include <thread>

#include "fixture.hpp"
#include "puppet.hpp"
#include "storage/watchdog.hpp"
#include "support/log_lines.hpp"

using omnistore::Storage;
using test::Puppet;
using namespace std::chrono_literals;

namespace {

/// Returns once the log has such a line; false: it does not come.
bool await_line(const test::LogLines &log, const std::string &pattern) {
  for (int i = 0; i < 2000; ++i) {
    if (log.has_match(pattern)) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

/// Shortens what counts as stuck while it lives.
struct Impatient {
  std::shared_ptr<omnistore::Watchdog> watchdog = omnistore::Watchdog::shared();
  Impatient() { watchdog->set_stuck(100ms); }
  ~Impatient() { watchdog->set_stuck(omnistore::Watchdog::default_stuck); }
};

} // namespace

TEST_CASE("a call that hangs is logged with mount, driver and operation, and again when it ends") {
  const Impatient impatient;
  const test::LogLines log(test::LogLines::info);
  Puppet puppet;
  std::promise<void> go;
  puppet.get = [leave = go.get_future().share()](auto...) {
    leave.wait();
    return OMNISTORE_NOT_FOUND;
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  auto hangs = std::async(std::launch::async, [&] { storage.get("m:k"); });
  CHECK(await_line(log, R"(get \(mount m, driver puppet\) has run for 0\.[1-9] s; it still runs)"));
  go.set_value();
  hangs.get();
  CHECK(await_line(log, R"(get \(mount m, driver puppet\) ended after \d+\.\d s)"));
}

TEST_CASE("a call that waits for its client is not logged") {
  const Impatient impatient;
  const test::LogLines log(test::LogLines::info);
  Puppet puppet, other;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    return test::give(sink, "value");
  };
  std::promise<void> go;
  other.get = [leave = go.get_future().share()](auto...) {
    leave.wait();
    return OMNISTORE_NOT_FOUND;
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + R"(, "o": )" + other.mount() + " }");
  test::SlowReader reader;
  auto slow = std::async(std::launch::async, [&] { storage.read("m:k", reader); });
  reader.await_begin();
  auto hangs = std::async(std::launch::async, [&] { storage.get("o:k"); }); // begun later, and logged
  CHECK(await_line(log, "mount o, driver puppet.*still runs"));
  CHECK_FALSE(log.has_match("mount m,"));
  reader.let_go();
  go.set_value();
  slow.get();
  hangs.get();
}

TEST_CASE("a driver that says that it never blocks and does is reported once and loses the privilege") {
  const test::LogLines log(test::LogLines::info);
  Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_NEVER_BLOCKS;
  std::promise<void> go;
  puppet.get = [leave = go.get_future().share()](auto...) {
    leave.wait();
    return OMNISTORE_NOT_FOUND;
  };
  const bool layered = GENERATE(false, true);
  Storage storage = test::open(
      R"({ "m": )" + (layered ? R"({ "driver": "overlay", "layers": [ )" + puppet.mount() + " ] }" : puppet.mount()) +
      " }");
  CHECK(storage.route("m:k").never_blocks);
  auto hangs = std::async(std::launch::async, [&] { storage.get("m:k"); });
  while (storage.route("m:k").never_blocks) std::this_thread::sleep_for(1ms);
  go.set_value();
  hangs.get();
  CHECK(await_line(log, R"(m \(puppet\): the driver says that it never blocks.*: get )"));
  storage.get("m:k");
  const auto lines = log.lines();
  CHECK(std::count_if(lines.begin(), lines.end(),
                      [](const auto &line) { return line.find("never blocks") != line.npos; }) == 1);
}

TEST_CASE("a driver that never blocks keeps the privilege while it computes") {
  Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_NEVER_BLOCKS;
  puppet.get = [](auto...) {
    const auto until = std::chrono::steady_clock::now() + 200ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    return OMNISTORE_NOT_FOUND;
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  storage.get("m:k");
  CHECK(storage.route("m:k").never_blocks);
}
