// SPDX-License-Identifier: Apache-2.0
// The changes in etcd. A watch has a connection and a thread of its own. If the connection ends it is made again, to
// another member, from the revision after the last event on; so no event is lost unless etcd has compacted it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <omnistore/lag.hpp>

#include "cluster.hpp"
#include "json.hpp"

namespace etcd {

class Watch {
public:
  /// Returns when etcd reports changes. Throws Failure if it does not.
  Watch(Cluster &cluster, const omnistore_host &host, omnistore::Call call, const std::string &prefix,
        std::string_view base, omnistore_watcher &watcher);
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  ~Watch();
  /// Returns the age of the newest proof that the watch is complete (omnistore/ext/lag.h).
  std::int64_t lag() const { return proof_.age(); }

private:
  using Clock = omnistore::WatchProof::Clock;
  void open(omnistore::Call call);
  void run() noexcept;
  bool listen();
  bool prove();
  void reached();
  void catch_up();
  std::int64_t newest_revision(omnistore::Call call);
  void take(std::string_view line);
  void report(const Json &event);
  void report(std::uint32_t type, std::uint32_t cause, std::string_view key);
  bool ended();
  bool ended_within(http::milliseconds pause);

  Cluster &cluster_;
  const omnistore_host &host_;
  const std::string prefix_, base_;
  omnistore_watcher &watcher_;

  // The thread's, after the constructor.
  std::string request_, pending_; ///< the body that creates the watch, and a line whose end has not come
  std::unique_ptr<http::Body> body_;
  std::int64_t next_ = 0; ///< the revision to resume from; 0: from now on
  bool created_ = false;  ///< etcd has confirmed the watch on this stream
  bool had_one_ = false;  ///< and on a stream before

  omnistore::WatchProof proof_;
  Clock::time_point opened_;      ///< when the stream was requested
  std::int64_t shown_ = 0;        ///< etcd's revision when the stream began
  Clock::time_point checked_;     ///< when `newest_` was requested
  std::int64_t newest_ = 0;       ///< etcd's revision then; 0: the watch has come that far
  std::atomic<bool> ends_{false}; ///< as ended_, for calls

  std::mutex mutex_; // guards the two below
  std::condition_variable changed_;
  bool ended_ = false;
  std::unique_ptr<http::Stream> stream_; ///< the thread alone replaces it, under the mutex
  std::thread thread_;
};

} // namespace etcd
