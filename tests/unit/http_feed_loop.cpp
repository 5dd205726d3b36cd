// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <vector>

#include <sys/socket.h>

#include "base/descriptor.hpp"
#include "http/feed_loop.hpp"

using namespace omnistore;
using http::Buffer;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto work = std::chrono::milliseconds(2);

/// Always has more to take, and each take keeps the loop busy for a while.
class BusyFeed : public http::Feed {
public:
  struct Turn {
    Clock::time_point begun, ended;
  };
  explicit BusyFeed(std::size_t turns) : turns_(turns) {}

  void start(std::function<void()>) override {}
  bool take(Buffer &out) override {
    if (taken.size() == turns_) return false;
    Turn turn{Clock::now(), {}};
    while (Clock::now() - turn.begun < work) {
    }
    out.append("event");
    turn.ended = Clock::now();
    taken.push_back(turn);
    if (taken.size() == turns_) done.count_down();
    return taken.size() < turns_;
  }
  void keep_alive(Buffer &) override {}
  void finish(Buffer &) override {}

  std::latch done{1};
  std::vector<Turn> taken; ///< to be read when all is done

private:
  const std::size_t turns_;
};

} // namespace

TEST_CASE("a loop that sends events without end pauses for as long as it sends") {
  HttpConfig config;
  http::MemoryBudget memory(0);
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const base::Descriptor client(ends[1]);
  const auto feed = std::make_shared<BusyFeed>(20);
  http::FeedLoop loop(config, memory, [] {});
  REQUIRE(loop.add(http::Protocol(AF_UNIX, 0), ends[0], {}, "", feed));
  feed->done.wait();
  loop.close_all();
  loop.finish();
  loop.join();
  // The first take follows the bytes that were unsent, and the second one is the first of a round.
  for (std::size_t i = 2; i < feed->taken.size(); ++i) CHECK(feed->taken[i].begun - feed->taken[i - 1].ended >= work);
}
