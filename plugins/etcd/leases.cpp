// SPDX-License-Identifier: Apache-2.0
#include "leases.hpp"

#include <algorithm>

#include "json.hpp"

namespace etcd {

std::int64_t Leases::lease(omnistore::Call call, std::int64_t expiry, std::int64_t now) {
  if (expiry == 0) return 0;
  using std::chrono::milliseconds;
  const std::int64_t left = expiry - now;
  std::int64_t width = 1000; // a power of two in seconds: the rounding then stays the same as the time goes by
  while (width * 32 <= left && width < 3'600'000) width *= 2;
  const std::int64_t rounded = (expiry + width - 1) / width * width;
  const Clock::time_point moment = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = leases_.find(rounded); found != leases_.end()) {
      if (found->second.end - moment >= milliseconds(left)) return found->second.id;
      leases_.erase(found);
    }
  }
  constexpr std::int64_t longest = 9'000'000'000; // seconds; etcd's own limit
  const std::int64_t seconds = std::min((rounded - now + 999) / 1000 + 1, longest);
  const std::string body = R"({"TTL":")" + std::to_string(seconds) + R"("})";
  // A second request makes a lease that nobody uses, and that ends by itself.
  const std::string text = cluster_.post(call, "/v3/lease/grant", body, Kind::read);
  const std::int64_t id = parse(text)["ID"].number();
  const std::lock_guard lock(mutex_);
  std::erase_if(leases_, [moment](const auto &each) { return each.second.end <= moment; });
  leases_[rounded] = {id, moment + std::chrono::seconds(seconds)};
  return id;
}

void Leases::forget() {
  const std::lock_guard lock(mutex_);
  leases_.clear();
}

} // namespace etcd
