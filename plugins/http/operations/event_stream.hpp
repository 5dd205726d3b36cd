// SPDX-License-Identifier: Apache-2.0
// A stream of server-sent events, as an Omnistore host sends it (host/README.md, "Events").
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace http {

/// One event. For a limit, `key` is the message.
struct HostEvent {
  std::uint32_t type = 0; ///< OMNISTORE_EVENT_...
  std::uint32_t cause = OMNISTORE_CAUSE_NONE;
  std::string key;
  std::uint64_t missed = 0; ///< of a resync; 0: unknown
};

/// Parses a stream that comes in pieces. For one thread.
class EventStream {
public:
  explicit EventStream(std::function<void(const HostEvent &)> take) : take_(std::move(take)) {}

  /// Calls `take` for each event that is whole with these bytes. Throws Failure(OMNISTORE_UNAVAILABLE) if they are not
  /// part of such a stream.
  void read(std::string_view bytes);
  /// Begins another stream; the id stays.
  void restart();
  /// Returns the id after which the server can resume; empty: it has sent none yet.
  const std::string &last_id() const { return id_; }

private:
  void end_line();
  void end_event();

  const std::function<void(const HostEvent &)> take_;
  std::string line_, id_, next_id_, type_, data_;
};

} // namespace http
