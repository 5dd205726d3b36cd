// SPDX-License-Identifier: Apache-2.0
#include "servers.hpp"

#include <algorithm>
#include <charconv>
#include <new>
#include <set>
#include <utility>

namespace memcached_driver {
namespace {

constexpr std::uint16_t default_port = 11211;
constexpr milliseconds first_pause{50}, longest_pause{5000};
/// How often a call that waits for a handle checks if its caller has gone away.
constexpr milliseconds cancel_check{100};

[[noreturn]] void refuse(const std::string &address, const char *why) {
  throw omnistore::Failure(OMNISTORE_INVALID, "option servers: " + address + ": " + why);
}

void add_server(memcached_st *handle, const Address &server) {
  const memcached_return_t code = server.host.empty() ? memcached_server_add_unix_socket(handle, server.path.c_str())
                                                      : memcached_server_add(handle, server.host.c_str(), server.port);
  if (code != MEMCACHED_SUCCESS) refuse(server.shown, memcached_strerror(handle, code));
}

milliseconds left(omnistore::Call call) { return milliseconds(call.remaining()); }

} // namespace

Address parse_address(const std::string &text) {
  if (text.starts_with('/')) return {text, {}, 0, text};
  std::string_view host = text, port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == host.npos) refuse(text, "the ']' of the address is missing");
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
  } else if (const std::size_t colon = host.find(':'); colon != host.npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  std::uint16_t number = default_port;
  if (!port.empty()) {
    const char *end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data() + 1, end, number);
    if (port[0] != ':' || error != std::errc() || stop != end || number == 0)
      refuse(text, "a ':' and the port follow the host");
  }
  if (host.empty() || host.find('/') != host.npos) refuse(text, "it is neither host:port nor the path of a socket");
  return {text, std::string(host), number};
}

Handle make_handle(const std::vector<std::string> &servers) {
  Handle handle(memcached_create(nullptr));
  if (!handle) throw std::bad_alloc();
  // The text protocol is the default. Ketama places a key alike in all programs that use it.
  memcached_behavior_set(handle.get(), MEMCACHED_BEHAVIOR_KETAMA, 1);
  memcached_behavior_set(handle.get(), MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
  memcached_behavior_set(handle.get(), MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
  memcached_behavior_set(handle.get(), MEMCACHED_BEHAVIOR_NO_BLOCK, 1);
  if (servers.empty()) throw omnistore::Failure(OMNISTORE_INVALID, "option servers: there is none");
  std::set<std::string_view> known;
  for (const std::string &server : servers) {
    if (!known.insert(server).second) refuse(server, "it is listed twice");
    add_server(handle.get(), parse_address(server));
  }
  return handle;
}

bool is_network_failure(memcached_return_t code) {
  switch (code) {
  case MEMCACHED_FAILURE:
  case MEMCACHED_HOST_LOOKUP_FAILURE:
  case MEMCACHED_CONNECTION_FAILURE:
  case MEMCACHED_CONNECTION_BIND_FAILURE:
  case MEMCACHED_WRITE_FAILURE:
  case MEMCACHED_READ_FAILURE:
  case MEMCACHED_UNKNOWN_READ_FAILURE:
  case MEMCACHED_PROTOCOL_ERROR:
  case MEMCACHED_SERVER_ERROR:
  case MEMCACHED_SOME_ERRORS:
  case MEMCACHED_NO_SERVERS:
  case MEMCACHED_ERRNO:
  case MEMCACHED_TIMEOUT:
  case MEMCACHED_PARTIAL_READ:
  case MEMCACHED_FETCH_NOTFINISHED:
  case MEMCACHED_SERVER_MARKED_DEAD:
  case MEMCACHED_SERVER_TEMPORARILY_DISABLED:
  case MEMCACHED_CONNECTION_SOCKET_CREATE_FAILURE:
    return true;
  default:
    return false;
  }
}

// -------------------------------------------------------------------------------------------------------- the breaker

void Breaker::check(milliseconds one_try) {
  if (!open_.load(std::memory_order_acquire)) return;
  const std::lock_guard guard(mutex_);
  if (!open_) return;
  const auto now = Clock::now();
  if (now < due_) {
    const auto pause = std::chrono::ceil<milliseconds>(due_ - now).count();
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, why_, {true, pause});
  }
  due_ = now + one_try; // until then only this call tries
}

void Breaker::failed(const omnistore_host &host, const std::string &why) {
  const std::lock_guard guard(mutex_);
  if (!open_) {
    omnistore::log_line(host, OMNISTORE_LOG_WARN, why + "; it is tried again until it responds");
    pause_ = milliseconds(0);
  }
  why_ = why;
  pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
  std::uniform_int_distribution<milliseconds::rep> some(pause_.count() * 3 / 4, pause_.count());
  due_ = Clock::now() + milliseconds(some(random_));
  open_.store(true, std::memory_order_release);
}

void Breaker::worked(const omnistore_host &host, const std::string &server) {
  if (!open_.load(std::memory_order_acquire)) return;
  const std::lock_guard guard(mutex_);
  if (!open_) return;
  open_.store(false, std::memory_order_release);
  omnistore::log_line(host, OMNISTORE_LOG_INFO, server + " responds again");
}

// -------------------------------------------------------------------------------------------------------- the servers

Servers::Servers(const omnistore_host &host, ServerSettings settings)
    : host_(host), settings_(std::move(settings)), places_(make_handle(settings_.servers)),
      breakers_(settings_.servers.size()), pipelines_(settings_.servers.size()) {}

Servers::Lease Servers::lease(omnistore::Call call) {
  std::unique_lock lock(mutex_);
  while (idle_.empty() && leased_ >= settings_.pool_size) {
    const milliseconds rest = left(call);
    if (rest.count() <= 0)
      throw omnistore::Failure(call.late(), "the call's time was over before a connection was free", {true, 0});
    freed_.wait_for(lock, std::min(rest, cancel_check));
  }
  Handle handle;
  if (!idle_.empty()) {
    handle = std::move(idle_.back()); // the one that was used last, so that others may stay idle
    idle_.pop_back();
  }
  ++leased_;
  const std::uint64_t age = age_;
  lock.unlock();
  try {
    if (!handle) handle = make_handle(settings_.servers);
  } catch (...) {
    give_back(nullptr, age);
    throw;
  }
  const milliseconds rest = std::max(left(call), milliseconds(1));
  const auto set = [&](memcached_behavior_t what, milliseconds limit) {
    memcached_behavior_set(handle.get(), what, static_cast<std::uint64_t>(std::min(limit, rest).count()));
  };
  set(MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, settings_.connect_timeout);
  set(MEMCACHED_BEHAVIOR_POLL_TIMEOUT, settings_.command_timeout);
  return {*this, std::move(handle), age};
}

void Servers::give_back(Handle handle, std::uint64_t age) {
  {
    const std::lock_guard guard(mutex_);
    --leased_;
    if (handle && age == age_) idle_.push_back(std::move(handle));
  }
  freed_.notify_one();
}

/// After a restart of a server the connections of all handles are broken.
void Servers::drop_older() {
  std::vector<Handle> dropped;
  const std::lock_guard guard(mutex_);
  ++age_;
  dropped.swap(idle_);
}

omnistore::Failure Servers::failure(std::uint32_t server, const std::string &line) const {
  const omnistore_status status = line.starts_with("SERVER_ERROR out of memory")      ? OMNISTORE_NO_SPACE
                                  : line.starts_with("SERVER_ERROR object too large") ? OMNISTORE_TOO_LARGE
                                                                                      : OMNISTORE_IO;
  return {status, settings_.servers[server] + ": " + line};
}

std::unique_ptr<Pipeline> Servers::take_pipeline(omnistore::Call call, std::uint32_t server) {
  for (;;) {
    std::unique_ptr<Pipeline> found;
    {
      const std::lock_guard guard(mutex_);
      auto &idle = pipelines_[server];
      if (idle.empty()) break;
      found = std::move(idle.back());
      idle.pop_back();
    }
    if (!found->is_closed()) return found;
  }
  return std::make_unique<Pipeline>(parse_address(settings_.servers[server]),
                                    std::min(settings_.connect_timeout, std::max(left(call), milliseconds(1))));
}

void Servers::exchange(omnistore::Call call, std::uint32_t server, std::string_view commands, std::size_t count,
                       std::vector<std::string> &replies, bool &sent) {
  check(server);
  const Lease lease = this->lease(call);
  std::unique_ptr<Pipeline> pipeline;
  try {
    pipeline = take_pipeline(call, server);
    sent = true;
    pipeline->run(call, commands, count, settings_.command_timeout, replies);
  } catch (const omnistore::Failure &failure) {
    const std::string why = (sent ? settings_.servers[server] + ": " : "") + failure.what();
    // If the call's own deadline has ended it, the server is not at fault.
    if (left(call).count() > 0) {
      breakers_[server].failed(host_, why);
      drop_older();
    }
    throw omnistore::Failure(failure.status(), why, failure.details());
  }
  breakers_[server].worked(host_, settings_.servers[server]);
  const std::lock_guard guard(mutex_);
  pipelines_[server].push_back(std::move(pipeline));
}

std::uint32_t Servers::server_of(std::string_view name) {
  return memcached_generate_hash(places_.get(), name.data(), name.size());
}

void Servers::note(std::uint32_t server, memcached_st *handle, memcached_return_t code) {
  if (is_network_failure(code))
    breakers_[server].failed(host_, failure(server, handle, code).what());
  else
    breakers_[server].worked(host_, settings_.servers[server]);
}

omnistore::Failure Servers::failure(std::uint32_t server, memcached_st *handle, memcached_return_t code) const {
  const std::string message = settings_.servers[server] + ": " + memcached_strerror(handle, code);
  switch (code) {
  case MEMCACHED_E2BIG:
    return {OMNISTORE_TOO_LARGE, message + "; the server's setting item_size_max (memcached -I) is the limit"};
  case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
  case MEMCACHED_MEMORY_ALLOCATION_FAILURE:
    return {OMNISTORE_NO_SPACE, message};
  case MEMCACHED_TIMEOUT:
    return {OMNISTORE_TIMEOUT, settings_.servers[server] + ": no reply in time"};
  default:
    if (!is_network_failure(code)) return {OMNISTORE_IO, message};
    // The name of the code alone does not say why.
    const char *words = memcached_last_error_message(handle);
    return {OMNISTORE_UNAVAILABLE, settings_.servers[server] + ": " + (words && *words ? words : message)};
  }
}

std::uint64_t Servers::item_size_max(omnistore::Call call) {
  std::uint64_t size = 0;
  Lease handle = lease(call);
  const auto take = [](const memcached_instance_st *, const char *key, size_t key_size, const char *value,
                       size_t value_size, void *context) {
    std::uint64_t found = 0;
    if (std::string_view(key, key_size) != "item_size_max") return MEMCACHED_SUCCESS;
    std::from_chars(value, value + value_size, found);
    std::uint64_t &least = *static_cast<std::uint64_t *>(context);
    if (found != 0 && (least == 0 || found < least)) least = found;
    return MEMCACHED_SUCCESS;
  };
  const memcached_return_t code = memcached_stat_execute(handle.get(), "settings", take, &size);
  for (std::uint32_t i = 0; i < count() && size == 0; ++i) note(i, handle.get(), code);
  if (code != MEMCACHED_SUCCESS) handle.drop();
  return size;
}

} // namespace memcached_driver
