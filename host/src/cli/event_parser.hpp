// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <omnistore/storage.hpp>

namespace omnistore::cli {

/// Reads a host's stream of events (server/event_feed.hpp), in pieces as they come.
class EventParser {
public:
  /// `limited` gets the messages of WatchOptions::limited.
  EventParser(std::function<void(const Event &)> take, std::function<void(const std::string &message)> limited)
      : take_(std::move(take)), limited_(std::move(limited)) {}

  /// Calls `take` or `limited` for each event that is whole with these bytes. Throws Error(internal) where they are no
  /// such stream.
  void read(std::string_view bytes);
  /// What comes next is another stream's; the id stays.
  void restart();
  /// The id to go on behind; empty: there was none yet.
  const std::string &last_id() const { return id_; }

private:
  void end_line();
  void end_event();

  const std::function<void(const Event &)> take_;
  const std::function<void(const std::string &)> limited_;
  std::string line_, id_, type_, data_;
};

} // namespace omnistore::cli
