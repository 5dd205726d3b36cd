// SPDX-License-Identifier: Apache-2.0
#include "http/feed_loop.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <system_error>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <unistd.h>

namespace omnistore::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kept_output = 128 * 1024; // of the loop's buffer
constexpr std::size_t most_in_turn = 64;        // streams that are served before the sockets are looked at
constexpr std::uint64_t slowest_reading = 16;   // bytes a millisecond
// As long as there are writes, a round over many streams is followed by a pause as long as the round, so that sending
// takes half of a processor at most, and the events that arrive meanwhile go out together.
constexpr auto shortest_pause = std::chrono::microseconds(100), longest_pause = std::chrono::microseconds(20000);
constexpr unsigned most_reads = 16; // of what a client sends on, before others have their turn

} // namespace

/// A client that gets events. Drops the input of the client; the end of the input ends the stream.
class FeedConnection : public std::enable_shared_from_this<FeedConnection> {
public:
  FeedConnection(FeedLoop &loop, Socket socket, FeedParts parts, std::shared_ptr<Feed> feed)
      : loop_(loop), socket_(std::move(socket)), parts_(std::move(parts)), tls_(parts_.tls.get()),
        feed_(std::move(feed)), unsent_(&loop.memory_) {}

  void begin(std::string_view unsent) {
    error_code error;
    socket_.non_blocking(true, error);
    if (error) return close();
    await_input();
    feed_->start([this] { // it ends with feed_
      if (auto self = weak_from_this().lock()) loop_.ready(std::move(self));
    });
    if (send(unsent)) loop_.stopping_ ? end() : proceed();
  }

  /// Sends what there is, up to one take().
  void proceed() {
    if (closed_ || awaits_output_) return;
    loop_.out_.clear(kept_output);
    const bool more = feed_->take(loop_.out_);
    if (send(loop_.out_.view()) && more) loop_.ready(shared_from_this()); // others have their turn first
  }

  void check_time() {
    if (loop_.now_ < deadline_) return;
    if (awaits_output_) {
      loop_.timed_out_.fetch_add(1, std::memory_order_relaxed);
      return close();
    }
    loop_.out_.clear(kept_output);
    feed_->keep_alive(loop_.out_);
    send(loop_.out_.view());
  }

  /// Sends the client the end of the body, if it has read all before.
  void end() {
    if (closed_) return;
    if (!awaits_output_) {
      loop_.out_.clear(kept_output);
      feed_->take(loop_.out_);
      feed_->finish(loop_.out_);
      send(loop_.out_.view());
    }
    close();
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    if (tls_ && !awaits_output_) tls_->end();
    socket_.close(ignored);
    feed_.reset();
    loop_.remove(*this);
  }

  std::size_t index = 0; ///< among the loop's connections

private:
  /// Sends bytes, and keeps those that the socket does not take. Returns true if all have gone out.
  bool send(std::string_view bytes) {
    began_ = loop_.now_;
    const std::size_t count = write(bytes);
    for (const auto &slot : {parts_.of_address, parts_.of_token})
      if (slot) slot->add_bytes(bytes.size());
    if (closed_) return false;
    if (count == bytes.size()) {
      deadline_ = loop_.now_ + loop_.keep_alive_;
      return true;
    }
    try {
      unsent_.append(bytes.substr(count));
    } catch (const std::bad_alloc &) { // a client that reads may come back and resume
      close();
      return false;
    }
    await_output();
    return false;
  }

  /// Returns how many bytes the socket took.
  std::size_t write(std::string_view bytes) {
    std::size_t count = 0;
    while (count < bytes.size()) {
      error_code error;
      count += tls_ ? write_by_tls(bytes.substr(count), error)
                    : socket_.write_some(asio::buffer(bytes.data() + count, bytes.size() - count), error);
      if (error == asio::error::would_block) break;
      if (!error) continue;
      close();
      break;
    }
    return count;
  }

  std::size_t write_by_tls(std::string_view bytes, error_code &error) {
    std::size_t count = 0;
    const tls::Session::Result result = tls_->write(bytes, count);
    if (result == tls::Session::Result::await_output)
      error = asio::error::would_block;
    else if (result != tls::Session::Result::done)
      error = asio::error::eof;
    return count;
  }

  void await_output() {
    awaits_output_ = true;
    // A client may take longer than the idle time only as long as it keeps up a pace.
    deadline_ = began_ + std::chrono::milliseconds(loop_.config_.idle_timeout +
                                                   static_cast<std::int64_t>(sent_ / slowest_reading));
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code &) {
      if (!self->closed_) self->go_on();
    });
  }

  void go_on() {
    awaits_output_ = false;
    sent_ += write(unsent_.view().substr(sent_));
    if (closed_) return;
    if (sent_ < unsent_.size()) return await_output();
    unsent_.clear(0);
    sent_ = 0;
    deadline_ = loop_.now_ + loop_.keep_alive_;
    proceed();
  }

  void await_input() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code &failed) {
      if (self->closed_) return;
      if (failed || !self->drop_input()) return self->close();
      self->await_input();
    });
  }

  /// Returns false if the client has gone.
  bool drop_input() {
    std::array<char, 4096> dropped;
    for (unsigned reads = 0; reads < most_reads; ++reads) {
      error_code error;
      if (tls_) {
        std::size_t count = 0;
        const tls::Session::Result result = tls_->read(dropped.data(), dropped.size(), count);
        if (result != tls::Session::Result::done) return result != tls::Session::Result::ended;
        continue;
      }
      socket_.read_some(asio::buffer(dropped), error);
      if (error) return error == asio::error::would_block;
    }
    return true;
  }

  FeedLoop &loop_;
  Socket socket_;
  FeedParts parts_;
  tls::Session *const tls_; ///< null: the connection has none
  std::shared_ptr<Feed> feed_;
  Buffer unsent_; ///< what the socket did not take
  std::size_t sent_ = 0;
  FeedLoop::Clock::time_point began_, deadline_;
  bool awaits_output_ = false;
  bool closed_ = false;
};

FeedLoop::FeedLoop(const HttpConfig &config, MemoryBudget &memory, std::function<void()> closed)
    : config_(config), memory_(memory), keep_alive_(std::min(config.watch_keep_alive, config.idle_timeout / 2)),
      closed_(std::move(closed)), io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), work_(io_.get_executor()), pause_(io_),
      ticker_(io_, std::min(config.idle_timeout, keep_alive_.count()), [this] { tick(); }) {}

FeedLoop::~FeedLoop() = default;

bool FeedLoop::start() {
  const std::lock_guard lock(starting_);
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] {
      ticker_.start();
      io_.run();
    });
  } catch (const std::system_error &) {
    return false;
  }
  return true;
}

bool FeedLoop::add(const Protocol &protocol, int handle, FeedParts parts, std::string_view unsent,
                   std::shared_ptr<Feed> feed) {
  if (!start()) return false;
  asio::post(io_, [this, protocol, handle, parts = std::move(parts), unsent = std::string(unsent),
                   feed = std::move(feed)]() mutable {
    Socket socket(io_);
    error_code failed;
    socket.assign(protocol, handle, failed);
    if (failed) { // the system watches no more sockets
      ::close(handle);
      return closed_();
    }
    auto connection = std::make_shared<FeedConnection>(*this, std::move(socket), std::move(parts), std::move(feed));
    connection->index = connections_.size();
    connections_.push_back(connection);
    connection->begin(unsent);
  });
  return true;
}

void FeedLoop::ready(std::shared_ptr<FeedConnection> connection) {
  {
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(connection));
    if (std::exchange(woken_, true)) return;
  }
  asio::post(io_, [this] { serve(); });
}

void FeedLoop::serve() {
  if (serving_.empty()) {
    round_began_ = Clock::now();
    const std::lock_guard lock(mutex_);
    serving_.swap(ready_);
  }
  for (std::size_t i = 0; i < most_in_turn && !serving_.empty(); ++i) {
    const auto connection = std::move(serving_.back());
    serving_.pop_back();
    connection->proceed();
  }
  if (!serving_.empty()) return asio::post(io_, [this] { serve(); });
  {
    const std::lock_guard lock(mutex_);
    woken_ = !ready_.empty();
    if (!woken_) return;
  }
  const auto took = Clock::now() - round_began_;
  if (took < shortest_pause) return asio::post(io_, [this] { serve(); });
  pause_.expires_after(std::min<Clock::duration>(took, longest_pause));
  pause_.async_wait([this](const error_code &) { serve(); });
}

void FeedLoop::tick() {
  now_ = Clock::now();
  each([](FeedConnection &connection) { connection.check_time(); });
}

/// The function may take its connection out.
template <typename Function>
void FeedLoop::each(const Function &function) {
  for (std::size_t i = connections_.size(); i-- > 0;) {
    const auto kept = connections_[i];
    function(*kept);
  }
}

void FeedLoop::remove(FeedConnection &connection) {
  const std::shared_ptr<FeedConnection> kept = std::move(connections_[connection.index]);
  if (connection.index + 1 != connections_.size()) {
    connections_[connection.index] = std::move(connections_.back());
    connections_[connection.index]->index = connection.index;
  }
  connections_.pop_back();
  closed_();
}

void FeedLoop::stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    each([](FeedConnection &connection) { connection.end(); });
  });
}

void FeedLoop::close_all() {
  asio::post(io_, [this] { each([](FeedConnection &connection) { connection.close(); }); });
}

void FeedLoop::finish() {
  asio::post(io_, [this] {
    ticker_.stop();
    work_.reset();
  });
}

void FeedLoop::join() {
  if (thread_.joinable()) thread_.join();
}

} // namespace omnistore::http
