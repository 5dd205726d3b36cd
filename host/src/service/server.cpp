// SPDX-License-Identifier: Apache-2.0
#include "service/server.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include "http/access_log.hpp"
#include "http/line_file.hpp"
#include "http/listener.hpp"
#include "http/worker_pool.hpp"
#include "routes/admin_routes.hpp"
#include "routes/data_routes.hpp"
#include "routes/guard.hpp"
#include "routes/sessions.hpp"
#include "service/history_sampler.hpp"

namespace omnistore::service {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned most_threads = 4;                     // of a listener, if the config names no number
constexpr std::uint64_t admin_memory = 64 * 1024 * 1024; // of its own: figures are available when the rest is used up
constexpr auto admin_patience = std::chrono::seconds(1);

constexpr rlim_t other_files = 1000; // of stores, plugins and the rest

unsigned threads_of(const HttpConfig &config, unsigned otherwise) {
  return config.threads != 0 ? config.threads : otherwise;
}

/// Each connection is an open file. Many systems allow a process only 1024 of them until it raises its limit.
void allow_files(const Config &config) {
  const rlim_t needed = rlim_t{config.http.max_connections} + config.admin.max_connections + other_files;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  limit.rlim_cur = std::min(needed, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return;
  spdlog::warn("the system allows {} open files, fewer than maxConnections needs ({}); ulimit -n can raise it",
               limit.rlim_cur, needed);
}

/// Returns the address of the socket that was passed to this process, or else that of the config.
http::Address address_for(const HttpConfig &config, const std::string &field, int socket) {
  http::Address address = socket >= 0 ? http::address_of(socket, field) : http::parse_listen(config.listen, field);
  address.mode = config.socket_mode;
  return address;
}

std::string url_of(const http::Listener &listener, const HttpConfig &config) {
  const std::string address = listener.address();
  if (address.starts_with("unix:")) return address;
  return (config.tls.enabled() ? "https://" : "http://") + address;
}

/// A listener of the config, and the guard of its access.
struct Bound {
  const std::string name;
  routes::Guard guard;
  http::Listener listener;

  Bound(std::string listener_name, const std::string &field, const HttpConfig &config,
        std::vector<routes::Guard::Source> tokens, http::AccessLog *access, http::WorkerPool &pool,
        http::MemoryBudget &memory, asio::io_context &accepting, int socket)
      : Bound(std::move(listener_name), field, config, std::move(tokens), access, pool, memory, accepting,
              address_for(config, field, socket)) {}
  Bound(std::string listener_name, const std::string &field, const HttpConfig &config,
        std::vector<routes::Guard::Source> tokens, http::AccessLog *access, http::WorkerPool &pool,
        http::MemoryBudget &memory, asio::io_context &accepting, const http::Address &address)
      : name(std::move(listener_name)), guard(config, address, field, std::move(tokens)),
        listener(address, config, field, access, pool, memory, accepting) {}

  report::ListenerStats stats() const {
    const http::Listener::Stats now = listener.stats();
    return {name,          listener.address(),  now.open,
            now.accepted,  now.refused,         now.timed_out,
            now.responses, now.accept_failures, guard.wrong_tokens(),
            now.limited,   now.certificate_end};
  }
};

std::vector<routes::Guard::Source> sources(const std::shared_ptr<routes::TokenFile> &tokens) {
  if (!tokens) return {};
  return {{tokens, false}};
}

report::ThreadStats stats_of(const http::WorkerPool &pool) {
  const http::WorkerPool::Stats now = pool.stats();
  report::ThreadStats stats{now.threads, now.idle, now.stuck, now.waiting, {}};
  for (const http::WorkerPool::LaneStats &each : now.lanes)
    stats.lanes.push_back(
        {each.lane.name, each.lane.store, each.lane.long_values, each.working, each.waiting, each.stuck});
  return stats;
}

report::MemoryStats stats_of(const http::MemoryBudget &memory) {
  const http::MemoryBudget::Stats now = memory.stats();
  return {now.used, now.most, now.peak, now.spare, now.refused};
}

/// Gives the admin listener one more token that may do everything, if it has tokens. It never leaves the process: a
/// browser that was logged in by the link of `serve` acts by it.
Config with_page_token(Config config, const std::string &token) {
  if (routes::has_tokens(config.admin))
    config.admin.tokens.push_back({.value = token, .write = true, .bases = {}, .name = "page", .certificate = {}});
  return config;
}

/// The admin listener's access to keys: a token of the data listener, or one that may change everything anyway. If the
/// admin listener has tokens, the list is never empty, because it has that of the page.
HttpConfig config_of_keys(const Config &config) {
  HttpConfig keys = config.admin;
  if (keys.tokens.empty()) return keys;
  std::vector<HttpConfig::Token> tokens;
  for (std::size_t i = 0; i < keys.tokens.size(); ++i) {
    if (!keys.tokens[i].write || !keys.tokens[i].bases.empty()) continue;
    HttpConfig::Token &token = tokens.emplace_back(keys.tokens[i]);
    if (token.name.empty()) token.name = "admin token " + std::to_string(i + 1);
  }
  for (std::size_t i = 0; i < config.http.tokens.size(); ++i) {
    HttpConfig::Token &token = tokens.emplace_back(config.http.tokens[i]);
    if (token.name.empty()) token.name = "token " + std::to_string(i + 1); // as on the data listener
  }
  keys.tokens = std::move(tokens);
  return keys;
}

/// Returns the name of the page's cookie. Browsers do not separate cookies by port.
std::string cookie_name(const std::string &address) {
  std::string name = "omnistore_" + address.substr(address.rfind(':') + 1);
  std::replace(name.begin(), name.end(), '/', '_'); // of a unix socket, which a proxy may stand before
  return name;
}

} // namespace

class Server::Impl {
public:
  Impl(Reloader &reloader, const Sockets &sockets)
      : reloader_(reloader), config_(with_page_token(reloader.config(), page_token_)),
        pool_(std::in_place, http::WorkerPool::Limits()), admin_pool_(std::in_place, http::WorkerPool::Limits()),
        memory_(config_.max_memory) {
    open_logs();
    if (!config_.http.listen.empty() || sockets.http >= 0) {
      if (!config_.http.token_file.empty())
        http_tokens_ = std::make_shared<routes::TokenFile>(config_.http.token_file, "server.http");
      http_.emplace("http", "server.http", config_.http, sources(http_tokens_), access(), *pool_, memory_, accepting_,
                    sockets.http);
      data_routes_.emplace(reloader.storage(), http_->guard, config_.http, audit());
    }
    if (!config_.admin.listen.empty() || sockets.admin >= 0) {
      if (!config_.admin.token_file.empty())
        admin_tokens_ = std::make_shared<routes::TokenFile>(config_.admin.token_file, "admin");
      admin_.emplace("admin", "admin", config_.admin, sources(admin_tokens_), access(), *admin_pool_, admin_memory_,
                     accepting_, sockets.admin);
      if (config_.admin.any_user && !routes::has_tokens(config_.admin))
        spdlog::warn("admin.anyUser: every user of this machine may change the mounts, and so read and write every "
                     "file that this host can");
      const http::Address address = address_for(config_.admin, "admin", sockets.admin);
      const HttpConfig keys = config_of_keys(config_);
      std::vector<routes::Guard::Source> key_tokens;
      if (routes::has_tokens(keys)) key_tokens = sources(http_tokens_);
      if (admin_tokens_) key_tokens.push_back({admin_tokens_, true});
      const routes::Guard keys_guard(keys, address, "admin", std::move(key_tokens));
      page_keys_.emplace(reloader.storage(), keys_guard, keys, audit());
      admin_routes_.emplace(
          reloader, reloader.storage(), admin_->guard, [this] { return state(); },
          routes::AdminRoutes::Page{sessions_, sampler_.history(), *page_keys_, keys_guard,
                                    routes::has_tokens(config_.admin) ? "Bearer " + page_token_ : "",
                                    cookie_name(admin_->listener.address()), config_.admin.tls.enabled(), audit()});
    }
  }

  ~Impl() { stop(std::chrono::milliseconds(0)); }

  std::string http_address() const { return http_ ? http_->listener.address() : std::string(); }
  std::string admin_address() const { return admin_ ? admin_->listener.address() : std::string(); }

  std::string http_url() const { return http_ ? url_of(http_->listener, config_.http) : std::string(); }
  std::string admin_url() const { return admin_ ? url_of(admin_->listener, config_.admin) : std::string(); }

  std::string page_link() {
    const std::string url = admin_url();
    return url.starts_with("http") ? url + "/#code=" + sessions_.make_code() : std::string();
  }

  void reload_files(const Config &config) {
    const auto attempt = [](const auto &reload) {
      try {
        reload();
      } catch (const Error &error) {
        spdlog::error("{}; the listener goes on with what it had", error.what());
      }
    };
    for (http::LineFile *file : {access_file_ ? &*access_file_ : nullptr, audit_file_ ? &*audit_file_ : nullptr})
      if (file) attempt([file] { reopen(*file); });
    if (http_) attempt([&] { http_->listener.reload_tls(config.http.tls); });
    if (admin_) attempt([&] { admin_->listener.reload_tls(config.admin.tls); });
    if (http_tokens_) attempt([&] { http_tokens_->reload(config.http.token_file); });
    if (admin_tokens_) attempt([&] { admin_tokens_->reload(config.admin.token_file); });
  }

  void start() {
    // The thread comes first: a listener that was started ends on it.
    const auto working = asio::make_work_guard(accepting_);
    try {
      accept_thread_ = std::thread([this] { accepting_.run(); });
    } catch (const std::system_error &error) {
      throw Error(Status::unavailable, std::string("no thread can be started (ulimit -u): ") + error.what());
    }
    started_ = true;
    allow_files(config_);
    const unsigned processors = std::clamp(std::thread::hardware_concurrency(), 1u, most_threads);
    if (http_) http_->listener.start(*data_routes_, threads_of(config_.http, processors));
    if (!admin_) return;
    sampler_.start();
    admin_->listener.start(*admin_routes_, threads_of(config_.admin, 1));
  }

  bool stop(std::chrono::milliseconds patience) {
    if (!started_) return true;
    started_ = false;
    stopping_.store(true, std::memory_order_relaxed);
    // The admin listener responds until the data listener has ended, so that one can follow it.
    const auto deadline = Clock::now() + patience;
    std::uint64_t left = 0;
    if (http_) left += http_->listener.drain(deadline);
    if (admin_) left += admin_->listener.drain(std::min(deadline, Clock::now() + admin_patience));
    if (left != 0) spdlog::warn("{} {} cut off", left, left == 1 ? "connection is" : "connections are");
    sampler_.stop();
    accept_thread_.join(); // nothing is accepted any more, so it has ended
    if (http_) http_->listener.close_all();
    if (admin_) admin_->listener.close_all();
    for (const auto &tokens : {http_tokens_, admin_tokens_})
      if (tokens) tokens->stop(); // its thread posts to the loops, which end below
    pool_.reset();
    admin_pool_.reset();
    if (http_) http_->listener.join();
    if (admin_) admin_->listener.join();
    return left == 0;
  }

  bool responds(std::chrono::milliseconds within) {
    const auto responded = std::make_shared<std::promise<void>>();
    std::future<void> response = responded->get_future();
    asio::post(accepting_, [responded] { responded->set_value(); });
    return response.wait_for(within) == std::future_status::ready;
  }

  std::uint64_t connections() const {
    std::uint64_t open = 0;
    if (http_) open += http_->listener.stats().open;
    if (admin_) open += admin_->listener.stats().open;
    return open;
  }

private:
  http::AccessLog *access() { return access_ ? &*access_ : nullptr; }
  routes::AuditLog *audit() { return audit_ ? &*audit_ : nullptr; }

  void open_logs() {
    const auto open = [](std::optional<http::LineFile> &file, const std::string &path, const char *field) {
      try {
        if (!path.empty()) file.emplace(path);
      } catch (const std::system_error &error) {
        throw Error(Status::invalid, std::string(field) + ": " + error.what());
      }
    };
    open(access_file_, config_.log.access, "log.access");
    open(audit_file_, config_.log.audit, "log.audit");
    if (access_file_) access_.emplace(*access_file_, config_.log.access_json);
    if (audit_file_) audit_.emplace(*audit_file_);
  }

  /// Opens a log again that was renamed to rotate it, and reports lines that were lost.
  static void reopen(http::LineFile &file) {
    try {
      file.reopen();
    } catch (const std::system_error &error) {
      throw Error(Status::io, error.what());
    }
    if (const std::uint64_t lost = file.take_lost(); lost != 0)
      spdlog::error("{}: {} lines could not be written", file.path(), lost);
  }

  report::HostState state() const {
    report::HostState state;
    state.stopping = stopping_.load(std::memory_order_relaxed);
    state.reloads = reloader_.stats();
    if (pool_) state.threads = stats_of(*pool_);
    state.memory = stats_of(memory_);
    if (http_) state.listeners.push_back(http_->stats());
    if (admin_) state.listeners.push_back(admin_->stats());
    return state;
  }

  Reloader &reloader_;
  const std::string page_token_ = routes::random_id();
  const Config config_;
  std::optional<http::WorkerPool> pool_, admin_pool_; ///< requests for figures do not wait for stores
  http::MemoryBudget memory_, admin_memory_{admin_memory};
  asio::io_context accepting_{1};
  std::thread accept_thread_;
  std::optional<http::LineFile> access_file_, audit_file_;
  std::optional<http::AccessLog> access_;
  std::optional<routes::AuditLog> audit_;
  std::shared_ptr<routes::TokenFile> http_tokens_, admin_tokens_; ///< null: the config names none
  std::optional<Bound> http_, admin_;
  std::optional<routes::DataRoutes> data_routes_;
  HistorySampler sampler_{reloader_.storage()};
  routes::Sessions sessions_;
  std::optional<routes::DataRoutes> page_keys_;
  std::optional<routes::AdminRoutes> admin_routes_;
  bool started_ = false;
  std::atomic<bool> stopping_{false};
};

Server::Server(Reloader &reloader, const Sockets &sockets) : impl_(std::make_unique<Impl>(reloader, sockets)) {}
Server::~Server() = default;

std::string Server::http_address() const { return impl_->http_address(); }
std::string Server::admin_address() const { return impl_->admin_address(); }
std::string Server::http_url() const { return impl_->http_url(); }
std::string Server::admin_url() const { return impl_->admin_url(); }
void Server::reload_files(const Config &config) { impl_->reload_files(config); }
std::string Server::page_link() { return impl_->page_link(); }
void Server::start() { impl_->start(); }
bool Server::stop(std::chrono::milliseconds patience) { return impl_->stop(patience); }
std::uint64_t Server::connections() const { return impl_->connections(); }
bool Server::responds(std::chrono::milliseconds within) { return impl_->responds(within); }

} // namespace omnistore::service
