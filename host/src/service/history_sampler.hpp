// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <omnistore/storage.hpp>

#include "base/periodic.hpp"
#include "report/history.hpp"

namespace omnistore::service {

/// Adds the counters of a storage to its history every ten seconds, on a thread of its own.
class HistorySampler {
public:
  explicit HistorySampler(const Storage &storage) : storage_(storage) {}

  /// Throws std::system_error if no thread can be started.
  void start();
  /// Returns when the thread has ended, which takes at most a second.
  void stop();
  const report::History &history() const { return history_; }

private:
  const Storage &storage_;
  report::History history_;
  base::Periodic periodic_; ///< the last member, since its thread uses the others
};

} // namespace omnistore::service
