// SPDX-License-Identifier: Apache-2.0
// The changes in an Omnistore host, by server-sent events. A watch has a connection and a thread of its own. If the
// connection is cut it is made again, and the host resumes after the last event that the watch has had.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "operations/event_stream.hpp"
#include "transport/client.hpp"

namespace http {

class Watch {
public:
  /// Returns when the host reports changes. Throws Failure if it does not.
  Watch(const Client &client, const omnistore_host &host, omnistore::Call call, std::string_view base,
        omnistore_watcher &watcher);
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  /// Ends the thread, whatever the server does.
  ~Watch();

private:
  void run() noexcept;
  std::string listen();
  bool reconnect(std::string why);
  template <class TimeIsUp>
  void open(std::string_view trace, TimeIsUp time_is_up);
  bool ended();
  bool ended_within(milliseconds pause);
  void take(const HostEvent &event);
  std::string_view own_key(std::string_view key) const;

  const Client &client_;
  const omnistore_host &host_;
  const std::string base_;
  omnistore_watcher &watcher_;
  EventStream events_;
  std::set<std::string> limits_; ///< those that were reported

  std::mutex mutex_; // guards the two below
  std::condition_variable changed_;
  bool ended_ = false;
  std::unique_ptr<Stream> stream_; ///< the thread alone replaces it, under the mutex
  std::thread thread_;
};

} // namespace http
