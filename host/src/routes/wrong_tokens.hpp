// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace omnistore::routes {

/// Slows down clients that guess at a listener's tokens: after ten wrong ones from an address, each further response is
/// held back, for a quarter of a second at first, twice as long each time, five seconds at most. A minute without a
/// wrong token forgives. A right token never comes here, so that nobody can lock out others. Counts the wrong tokens,
/// and logs at most one line in ten seconds, without the token. Thread-safe. Its memory is fixed.
class WrongTokens {
public:
  using Clock = std::chrono::steady_clock;

  /// `listener` is its name in the log, "admin". At most `most_held` responses are held back at once.
  WrongTokens(std::string listener, unsigned most_held);

  struct Penalty {
    bool slowed = false;                ///< too many came from there
    std::chrono::milliseconds delay{0}; ///< of the response; 0 although it is slowed: too many are held back already
  };
  /// Counts a wrong token. Addresses of IPv6 count by their network, of 64 bits.
  Penalty add(const boost::asio::ip::address &from, Clock::time_point now = Clock::now());

  std::uint64_t count() const;

private:
  struct Origin {
    unsigned count = 0;
    Clock::time_point last{};
  };

  void log(const boost::asio::ip::address &from, Clock::time_point now);

  const std::string listener_;
  const unsigned most_held_;
  mutable std::mutex mutex_;
  std::array<Origin, 256> origins_{};   ///< by the address's hash: some share one, and their delays
  std::vector<Clock::time_point> held_; ///< until when
  std::uint64_t count_ = 0, logged_ = 0;
  Clock::time_point logged_at_{};
};

} // namespace omnistore::routes
