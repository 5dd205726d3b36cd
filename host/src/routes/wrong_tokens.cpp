// SPDX-License-Identifier: Apache-2.0
#include "routes/wrong_tokens.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

#include <spdlog/spdlog.h>

namespace omnistore::routes {

namespace {

using std::chrono::milliseconds;

constexpr unsigned free_tries = 10;
constexpr auto first_delay = milliseconds(250), longest_delay = milliseconds(5000);
constexpr auto forgiving = std::chrono::minutes(1);
constexpr auto log_pause = std::chrono::seconds(10);

std::size_t hash_of(const boost::asio::ip::address &from) {
  const auto hash = [](const auto &bytes, std::size_t count) {
    return std::hash<std::string_view>()({reinterpret_cast<const char *>(bytes.data()), count});
  };
  return from.is_v4() ? hash(from.to_v4().to_bytes(), 4) : hash(from.to_v6().to_bytes(), 8);
}

} // namespace

WrongTokens::WrongTokens(std::string listener, unsigned most) : listener_(std::move(listener)), most_held_(most) {}

WrongTokens::Penalty WrongTokens::add(const boost::asio::ip::address &from, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  ++count_;
  log(from, now);
  Origin &origin = origins_[hash_of(from) % origins_.size()];
  if (now - origin.last > forgiving) origin.count = 0;
  origin.last = now;
  ++origin.count;
  if (origin.count <= free_tries) return {};
  std::erase_if(held_, [&](Clock::time_point until) { return until <= now; });
  if (held_.size() >= most_held_) return {true, milliseconds(0)};
  const unsigned doublings = std::min(origin.count - free_tries - 1, 10u);
  const milliseconds delay = std::min(first_delay * (1 << doublings), longest_delay);
  held_.push_back(now + delay);
  return {true, delay};
}

void WrongTokens::log(const boost::asio::ip::address &from, Clock::time_point now) {
  if (logged_ != 0 && now - logged_at_ < log_pause) return;
  if (const std::uint64_t fresh = count_ - logged_; fresh == 1)
    spdlog::warn("{}: a wrong token came from {}", listener_, from.to_string());
  else
    spdlog::warn("{}: {} wrong tokens came, the last one from {}", listener_, fresh, from.to_string());
  logged_ = count_;
  logged_at_ = now;
}

std::uint64_t WrongTokens::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

} // namespace omnistore::routes
