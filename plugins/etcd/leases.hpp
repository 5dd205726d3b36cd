// SPDX-License-Identifier: Apache-2.0
// Leases, by which etcd removes what has expired. A lease costs a request, so values that expire at about the same time
// share one: it ends at most a sixteenth of their time later. Until then the expiry in the record hides the value.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "cluster.hpp"

namespace etcd {

/// Any thread.
class Leases {
public:
  explicit Leases(Cluster &cluster) : cluster_(cluster) {}

  /// Returns a lease that lives until `expiry` at least; 0 for a value that never expires. Throws Failure.
  std::int64_t lease(omnistore::Call call, std::int64_t expiry, std::int64_t now);
  /// Forgets all leases, since one was revoked.
  void forget();

private:
  using Clock = std::chrono::steady_clock;
  struct Lease {
    std::int64_t id;
    Clock::time_point end; ///< as etcd measures it, or a little earlier
  };

  Cluster &cluster_;
  std::mutex mutex_;
  std::map<std::int64_t, Lease> leases_; ///< by the moment that their values' expiries are rounded up to
};

} // namespace etcd
