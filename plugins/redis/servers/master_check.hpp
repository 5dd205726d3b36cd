// SPDX-License-Identifier: Apache-2.0
// Requests the master from the sentinels again and again, to learn of a failover. A sentinel may hang, so this has a
// thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "servers/server.hpp"

namespace redis {

/// It begins with the object, and ends when the sentinels name another master. The public functions are for one thread.
class MasterCheck {
public:
  /// How often the sentinels get a request.
  static constexpr milliseconds interval{1000};

  /// `master` is the number of the master (Server). The sentinels get `patience` for their responses, but no longer
  /// than `interval`, all together. The check keeps in `confirmed` the last moment after which most of the sentinels
  /// that responded have named this master.
  MasterCheck(Server &server, std::uint64_t master, milliseconds patience, std::atomic<Clock::time_point> &confirmed);
  MasterCheck(const MasterCheck &) = delete;
  MasterCheck &operator=(const MasterCheck &) = delete;
  /// Waits for the sentinel that has a request at the moment.
  ~MasterCheck();

  /// Returns false if the sentinels name another master.
  bool is_current() const { return server_.is_current(master_); }
  /// The descriptor becomes readable when the sentinels name another master.
  int descriptor() const { return news_[0]; }

private:
  void run() noexcept;
  bool stopped();
  void request_all();
  std::optional<MasterAddress> request(std::size_t sentinel);

  Server &server_;
  const std::uint64_t master_;
  std::atomic<Clock::time_point> &confirmed_;
  std::vector<std::unique_ptr<Connection>> connections_; ///< one to each sentinel, or null; the thread's
  const milliseconds patience_;                          ///< with each sentinel

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stops_ = false;

  int news_[2] = {-1, -1}; ///< a pipe whose writing end the thread closes when it ends
  std::thread thread_;
};

} // namespace redis
