// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace omnistore::http {

/// Calls a function at once and then once in each period, on the thread of an io_context, for which alone it is.
class Ticker {
public:
  /// A quarter of the shortest time that is looked at (in milliseconds), but from 10 ms to a second.
  Ticker(boost::asio::io_context &io, std::int64_t shortest, std::function<void()> run)
      : period_(std::clamp<std::int64_t>(shortest / 4, 10, 1000)), run_(std::move(run)), timer_(io) {}

  void start() {
    run_();
    timer_.expires_after(period_);
    timer_.async_wait([this](const boost::system::error_code &error) {
      if (!error && !stopped_) start(); // a timer that is due already cannot be cancelled
    });
  }
  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

private:
  const std::chrono::milliseconds period_;
  const std::function<void()> run_;
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

} // namespace omnistore::http
