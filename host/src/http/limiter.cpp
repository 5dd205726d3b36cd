// SPDX-License-Identifier: Apache-2.0
#include "http/limiter.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace omnistore::http {

void Limiter::pay(Client &client, Clock::time_point now) const {
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - client.seen).count());
  client.requests = std::max(0.0, client.requests - seconds * static_cast<double>(limits_.requests));
  client.bytes = std::max(0.0, client.bytes - seconds * static_cast<double>(limits_.bytes));
  client.seen = now;
}

void Limiter::forget_idle(Clock::time_point now) {
  for (auto each = clients_.begin(); each != clients_.end();) {
    pay(each->second, now);
    const bool owes = each->second.connections != 0 || each->second.requests != 0 || each->second.bytes != 0;
    each = owes ? std::next(each) : clients_.erase(each);
  }
}

Limiter::Client &Limiter::at(std::string_view name, Clock::time_point now) {
  auto found = clients_.find(name);
  if (found == clients_.end()) {
    if (clients_.size() >= most_clients) forget_idle(now);
    found = clients_.emplace(name, Client{.seen = now}).first;
  }
  pay(found->second, now);
  return found->second;
}

unsigned Limiter::take_request(std::string_view name, Clock::time_point now) {
  if (limits_.requests == 0 && limits_.bytes == 0) return 0;
  const std::lock_guard lock(mutex_);
  Client &client = at(name, now);
  double wait = 0;
  if (limits_.requests != 0 && client.requests + 1 > static_cast<double>(limits_.requests))
    wait = (client.requests + 1) / static_cast<double>(limits_.requests) - 1;
  if (limits_.bytes != 0 && client.bytes > static_cast<double>(limits_.bytes))
    wait = std::max(wait, client.bytes / static_cast<double>(limits_.bytes) - 1);
  if (wait > 0) {
    ++refused_;
    return static_cast<unsigned>(std::clamp(std::ceil(wait), 1.0, 3600.0));
  }
  client.requests += 1;
  return 0;
}

void Limiter::add_bytes(std::string_view name, std::uint64_t bytes, Clock::time_point now) {
  if (limits_.bytes == 0) return;
  const std::lock_guard lock(mutex_);
  at(name, now).bytes += static_cast<double>(bytes);
}

std::shared_ptr<Limiter::Slot> Limiter::open(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Client &client = at(name, Clock::now());
  if (limits_.connections != 0 && client.connections >= limits_.connections) {
    ++refused_;
    return nullptr;
  }
  auto slot = std::make_shared<Slot>(*this, std::string(name));
  ++client.connections;
  return slot;
}

void Limiter::close(const std::string &name) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(name);
  if (found != clients_.end()) --found->second.connections;
}

std::uint64_t Limiter::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

} // namespace omnistore::http
