// SPDX-License-Identifier: Apache-2.0
#include "http/listener.hpp"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <omnistore/error.hpp>

#include "http/connection.hpp"
#include "http/limiter.hpp"
#include "http/socket.hpp"
#include "http/unix_file.hpp"
#include "tls/tls.hpp"

namespace omnistore::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr unsigned most_refused = 64; // connections at once that get the response that there are too many
constexpr auto accept_pause = std::chrono::milliseconds(100);
constexpr auto log_pause = std::chrono::seconds(10); // between two lines on connections that cannot be accepted

/// Returns true if the failure is one connection's, which has gone again, and the next can be accepted at once.
bool is_of_connection(const error_code &error) {
  return error == asio::error::connection_aborted || error == asio::error::interrupted ||
         error == asio::error::connection_reset || error == boost::system::errc::protocol_error;
}

Error bind_error(const Address &address, const std::string &field, const error_code &error) {
  const std::string where = address.text() + ": " + error.message();
  if (error == asio::error::address_in_use) {
    return Error(Status::unavailable, where + "; another host? choose another with " + field + ".listen");
  }
  if (address.is_unix())
    return Error(error == asio::error::access_denied ? Status::denied : Status::invalid,
                 where + "; choose a folder that exists and that this user may write with " + field + ".listen");
  if (error == asio::error::access_denied) {
    return Error(Status::denied, where + "; choose a port above 1023 with " + field + ".listen");
  }
  return Error(Status::invalid, where + "; choose an address of this machine with " + field + ".listen");
}

using Acceptor = asio::basic_socket_acceptor<Protocol>;

Protocol::endpoint endpoint_of(const Address &address) {
  if (address.is_unix()) return asio::local::stream_protocol::endpoint(address.path);
  return asio::ip::tcp::endpoint(asio::ip::make_address(address.host), address.port);
}

/// Returns the file of a unix socket, which ends with the object. Throws Error with the address and the reason.
UnixFile bind(Acceptor &acceptor, const Address &address, const std::string &field) {
  const Protocol::endpoint endpoint = endpoint_of(address);
  error_code error;
  if (address.socket >= 0) {
    acceptor.assign(endpoint.protocol(), address.socket, error);
    if (error) throw bind_error(address, field, error);
    return {};
  }
  UnixFile file;
  if (address.is_unix()) UnixFile::remove_stale(address.path);
  acceptor.open(endpoint.protocol(), error);
  if (!error && !address.is_unix()) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  // Nobody can connect before listen(), so that the file has its mode before anybody comes.
  if (!error && address.is_unix()) file = UnixFile(address.path, address.mode, error);
  if (!error) acceptor.listen(Acceptor::max_listen_connections, error);
  if (error) throw bind_error(address, field, error);
  return file;
}

/// Returns null if the listener has no TLS.
std::unique_ptr<tls::Context> tls_of(const HttpConfig &config, const Address &address, const std::string &field) {
  if (!config.tls.enabled()) return nullptr;
  if (address.is_unix())
    throw Error(Status::invalid, field + ".tls: a unix socket has no TLS; the mode of its file says who may connect");
  return tls::module().listen(config.tls, field);
}

} // namespace

void check_tls(const HttpConfig &config, const Address &address, const std::string &field) {
  tls_of(config, address, field);
}

void check_bind(const Address &address, const std::string &field) {
  asio::io_context context;
  Acceptor acceptor(context);
  bind(acceptor, address, field);
}

class Listener::Impl {
public:
  Impl(const Address &address, const HttpConfig &config, const std::string &field, AccessLog *access, WorkerPool &pool,
       MemoryBudget &memory, asio::io_context &accepting)
      : bound_(address), config_(config), access_(access), field_(field), name_(field.substr(field.rfind('.') + 1)),
        pool_(pool), memory_(memory), accepting_(accepting), acceptor_(accepting), pause_(accepting) {
    if (config.per_address.any()) per_address_.emplace(config.per_address);
    if (config.per_token.any()) per_token_.emplace(config.per_token);
    tls_ = tls_of(config, address, field);
    file_ = bind(acceptor_, address, field);
    if (!address.is_unix()) bound_.port = address_of(acceptor_.native_handle(), field).port;
  }

  ~Impl() {
    if (!started_) return;
    drain({});
    close_all();
    join();
  }

  const Address &bound() const { return bound_; }
  void reload_tls(const HttpConfig::Tls &config) const {
    if (!tls_ || !tls_->reload(config)) return;
    spdlog::info("{}: new connections get the new certificate, which is valid until {}", field_, tls_->end().text);
    warn_if_ended();
  }

  /// Clients refuse a certificate that has ended. The listener serves it all the same: some check none.
  void warn_if_ended() const {
    if (const tls::Context::End end = tls_->end(); end.time <= std::time(nullptr))
      spdlog::warn("{}.tls.certificate: its validity ended on {}; replace the file, and the listener takes it", field_,
                   end.text);
  }

  void start(Application &application, unsigned threads) {
    feeds_ = std::make_unique<FeedLoop>(config_, memory_, [this] { connection_closed(false); });
    for (unsigned i = 0; i < threads; ++i) {
      loops_.push_back(std::make_unique<Loop>(config_, loop_parts(), application, pool_, memory_, *feeds_,
                                              [this](bool refused) { connection_closed(refused); }));
    }
    started_ = true;
    if (tls_) warn_if_ended();
    asio::post(accepting_, [this] { accept(); });
  }

  std::uint64_t drain(std::chrono::steady_clock::time_point deadline) {
    if (!started_) return 0;
    std::promise<void> closed;
    asio::post(accepting_, [this, &closed] {
      error_code ignored;
      acceptor_.close(ignored);
      file_ = UnixFile();
      pause_.cancel();
      closed.set_value();
    });
    closed.get_future().wait();
    for (auto &loop : loops_) {
      asio::post(loop->io, [&loop = *loop] { loop.stop(); });
    }
    feeds_->stop();
    std::unique_lock lock(mutex_);
    all_closed_.wait_until(lock, deadline, [this] { return open_ + refused_open_ == 0; });
    return open_;
  }

  void close_all() {
    for (auto &loop : loops_) {
      asio::post(loop->io, [&loop = *loop] { loop.close_all(); });
    }
    feeds_->close_all(); // those that come later are ended at once: stop() was called
    std::unique_lock lock(mutex_);
    all_closed_.wait(lock, [this] { return open_ + refused_open_ == 0; });
  }

  void join() {
    for (auto &loop : loops_) loop->finish();
    for (auto &loop : loops_) loop->join();
    feeds_->finish();
    feeds_->join();
    started_ = false;
  }

  Stats stats() const {
    Stats stats;
    {
      const std::lock_guard lock(mutex_);
      stats.open = open_;
      stats.accepted = accepted_;
      stats.refused = refused_;
    }
    for (const auto *limiter : {per_address_ ? &*per_address_ : nullptr, per_token_ ? &*per_token_ : nullptr})
      if (limiter) stats.limited += limiter->refused();
    if (tls_) stats.certificate_end = tls_->end().time;
    stats.accept_failures = accept_failures_.load(std::memory_order_relaxed);
    if (feeds_) stats.timed_out = feeds_->timed_out();
    for (const auto &loop : loops_) {
      stats.timed_out += loop->counts.timed_out.load(std::memory_order_relaxed);
      for (std::size_t i = 0; i < stats.responses.size(); ++i) {
        stats.responses[i] += loop->counts.responses[i].load(std::memory_order_relaxed);
      }
    }
    return stats;
  }

private:
  LoopParts loop_parts() {
    return {tls_.get(), access_, per_address_ ? &*per_address_ : nullptr, per_token_ ? &*per_token_ : nullptr, name_};
  }

  void accept() {
    acceptor_.async_accept([this](const error_code &error, Socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) {
        accepts_again();
        take(std::move(socket));
        return accept();
      }
      if (is_of_connection(error)) return accept();
      // No descriptor or no memory is left: a pause, since the connection that waits would fail at once again.
      note_failure("cannot accept connections: " + error.message() + "; they wait");
      pause_.expires_after(accept_pause);
      pause_.async_wait([this](const error_code &cancelled) {
        if (!cancelled) accept();
      });
    });
  }

  /// Logs the first failure at once and further ones with their number, however many there are.
  void note_failure(const std::string &what) {
    const std::uint64_t count = accept_failures_.fetch_add(1, std::memory_order_relaxed) + 1;
    const auto now = std::chrono::steady_clock::now();
    if (logged_failures_ != 0 && now - logged_at_ < log_pause) return;
    spdlog::warn("{}: {}{}", bound_.text(), what,
                 logged_failures_ == 0 ? std::string()
                                       : " (" + std::to_string(count - logged_failures_) + " further failures)");
    logged_failures_ = count;
    logged_at_ = now;
    log_recovery_ = true;
  }
  void accepts_again() {
    if (log_recovery_) spdlog::info("{}: accepts connections again", bound_.text());
    log_recovery_ = false;
  }

  /// Hands a connection to the loop whose turn it is.
  void take(Socket socket) {
    bool refused = false;
    {
      const std::lock_guard lock(mutex_);
      refused = open_ >= config_.max_connections;
      if (refused) ++refused_;
      if (refused && refused_open_ >= most_refused) return;
      ++(refused ? refused_open_ : open_);
      if (!refused) ++accepted_;
    }
    error_code error;
    const auto handle = socket.release(error);
    if (error) return connection_closed(refused);
    const std::size_t turn = next_++;
    std::size_t tries = 0;
    while (tries < loops_.size() && !loops_[(turn + tries) % loops_.size()]->start()) ++tries;
    if (tries == loops_.size()) {
      note_failure("no thread for a connection: the system's limit is reached (ulimit -u)");
      ::close(handle);
      return connection_closed(refused);
    }
    Loop &loop = *loops_[(turn + tries) % loops_.size()];
    asio::post(loop.io, [this, &loop, handle, refused] {
      Socket accepted(loop.io);
      error_code failed;
      accepted.assign(endpoint_of(bound_).protocol(), handle, failed);
      if (!failed) return loop.add(std::move(accepted), refused);
      ::close(handle); // the system watches no more sockets
      connection_closed(refused);
    });
  }

  void connection_closed(bool refused) {
    const std::lock_guard lock(mutex_);
    --(refused ? refused_open_ : open_);
    if (open_ + refused_open_ == 0) all_closed_.notify_all();
  }

  Address bound_;
  const HttpConfig &config_;
  AccessLog *const access_;
  const std::string field_; ///< "server.http"
  const std::string name_;  ///< "http"
  std::optional<Limiter> per_address_, per_token_;
  WorkerPool &pool_;
  MemoryBudget &memory_;
  bool started_ = false;

  asio::io_context &accepting_;
  Acceptor acceptor_;
  UnixFile file_;
  std::unique_ptr<tls::Context> tls_; ///< null: the listener has none
  asio::steady_timer pause_;
  std::unique_ptr<FeedLoop> feeds_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::size_t next_ = 0;

  std::atomic<std::uint64_t> accept_failures_{0};
  std::uint64_t logged_failures_ = 0; ///< how many there were when the last line was logged
  std::chrono::steady_clock::time_point logged_at_{};
  bool log_recovery_ = false; ///< the log's last word is that none can be accepted

  mutable std::mutex mutex_;
  std::condition_variable all_closed_;
  std::uint64_t open_ = 0, refused_open_ = 0, accepted_ = 0, refused_ = 0;
};

Listener::Listener(const Address &address, const HttpConfig &config, const std::string &field, AccessLog *access,
                   WorkerPool &pool, MemoryBudget &memory, asio::io_context &accepting)
    : impl_(std::make_unique<Impl>(address, config, field, access, pool, memory, accepting)) {}
Listener::~Listener() = default;

void Listener::reload_tls(const HttpConfig::Tls &config) const { impl_->reload_tls(config); }
std::string Listener::address() const { return impl_->bound().text(); }
void Listener::start(Application &application, unsigned threads) { impl_->start(application, threads); }
std::uint64_t Listener::drain(std::chrono::steady_clock::time_point deadline) { return impl_->drain(deadline); }
void Listener::close_all() { impl_->close_all(); }
void Listener::join() { impl_->join(); }
Listener::Stats Listener::stats() const { return impl_->stats(); }

} // namespace omnistore::http
