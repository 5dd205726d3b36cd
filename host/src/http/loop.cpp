// SPDX-License-Identifier: Apache-2.0
#include "http/loop.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>

#include "http/connection.hpp"

namespace omnistore::http {

namespace asio = boost::asio;

namespace {

// A client that has just connected sends its first request at once. If a stop closed its connection, it would get no
// response, although another process may listen at the same socket already.
constexpr auto first_request_patience = std::chrono::milliseconds(500);

} // namespace

Loop::Loop(const HttpConfig &settings, LoopParts shared, Application &served, WorkerPool &threads, MemoryBudget &budget,
           FeedLoop &for_feeds, std::function<void(bool)> closed)
    : io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), config(settings), parts(std::move(shared)), application(served),
      pool(threads), memory(budget), feeds(for_feeds), closed_(std::move(closed)), work_(io.get_executor()),
      ticker_(io, std::min(config.idle_timeout, config.request_timeout), [this] { tick(); }), first_requests_(io) {}

Loop::~Loop() = default;

bool Loop::start() {
  if (thread_.joinable()) return true;
  try {
    ticker_.start();
    thread_ = std::thread([this] { io.run(); });
  } catch (const std::system_error &) {
    return false;
  }
  return true;
}

void Loop::finish() {
  asio::post(io, [this] {
    ticker_.stop();
    first_requests_.cancel();
    work_.reset();
  });
}

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::tick() {
  now = Clock::now();
  for (std::size_t i = connections_.size(); i-- > 0;) {
    const auto kept = connections_[i]; // it may take itself out
    kept->check_time();
  }
}

void Loop::add(Socket socket, bool refused) {
  auto connection = std::make_shared<Connection>(*this, std::move(socket), refused);
  connection->index = connections_.size();
  connections_.push_back(connection);
  connection->start();
}

void Loop::remove(Connection &connection) {
  const bool refused = connection.refused(); // hand_over() may end the connection
  hand_over(connection);
  closed_(refused);
}

void Loop::hand_over(Connection &connection) {
  const std::shared_ptr<Connection> kept = std::move(connections_[connection.index]);
  if (connection.index + 1 != connections_.size()) {
    connections_[connection.index] = std::move(connections_.back());
    connections_[connection.index]->index = connection.index;
  }
  connections_.pop_back();
}

void Loop::stop() {
  stopping = true;
  stop_connections(true);
  first_requests_.expires_after(first_request_patience);
  first_requests_.async_wait([this](const boost::system::error_code &cancelled) {
    if (!cancelled) stop_connections(false);
  });
}

void Loop::stop_connections(bool patient) {
  for (std::size_t i = connections_.size(); i-- > 0;) {
    const auto kept = connections_[i];
    kept->stop(patient);
  }
}

void Loop::close_all() {
  while (!connections_.empty()) {
    const auto kept = connections_.back();
    kept->close();
  }
}

} // namespace omnistore::http
