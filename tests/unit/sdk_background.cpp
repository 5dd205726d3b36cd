// SPDX-License-Identifier: Apache-2.0
// Drivers' own threads, such as a watch's, use a call that nobody waits for and take no signals.
#include <catch2/catch.hpp>

#include <csignal>

#include <omnistore/background.hpp>

using namespace std::chrono_literals;
using omnistore::BackgroundCall;

namespace {

sigset_t signals_of_this_thread() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

bool is_cancelled(const BackgroundCall &call) { return call.context->cancelled(call.context) != 0; }

} // namespace

TEST_CASE("a background thread takes no signal, and its starter takes those that it took before") {
  sigset_t there;
  omnistore::background_thread([&] { there = signals_of_this_thread(); }).join();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) {
    CHECK(sigismember(&there, signal) == 1);
    const sigset_t here = signals_of_this_thread();
    CHECK(sigismember(&here, signal) == 0);
  }
}

TEST_CASE("a background call has background priority, and no end of its own") {
  const BackgroundCall call;
  CHECK(call.context->priority == OMNISTORE_PRIORITY_BACKGROUND);
  CHECK(call.remaining(&call) == INT64_MAX);
  CHECK_FALSE(is_cancelled(call));
}

TEST_CASE("a background call ends at its deadline") {
  const BackgroundCall late(nullptr, BackgroundCall::Clock::now() - 1s),
      early(nullptr, BackgroundCall::Clock::now() + 1h);
  CHECK(late.remaining(&late) == 0);
  CHECK(early.remaining(&early) > 3'500'000);
  CHECK(early.remaining(&early) <= 3'600'000);
}

TEST_CASE("a background call is cancelled when its thread is to stop") {
  std::atomic<bool> stopping{false};
  const BackgroundCall call(&stopping);
  CHECK_FALSE(is_cancelled(call));
  stopping = true;
  CHECK(is_cancelled(call));
  CHECK(call.remaining(&call) == 0);
}
