// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <omnistore/storage.hpp>

#include "routes/request.hpp"
#include "storage/pulled_watch.hpp"

namespace omnistore::routes {

/// The places for streams of events. Thread-safe.
class StreamSlots {
public:
  explicit StreamSlots(unsigned most) : most_(most), taken_(std::make_shared<std::atomic<unsigned>>(0)) {}
  unsigned most() const { return most_; }
  /// Returns a place, which is free again when its last owner releases it, or null if all are taken.
  std::shared_ptr<void> take();

private:
  const unsigned most_;
  const std::shared_ptr<std::atomic<unsigned>> taken_;
};

/// Sends the changes in a storage as server-sent events:
///
///     id: 17
///     event: update                    or remove, or resync: some were lost
///     data: {"key":"user/1"}           "cause" of a removal; of a resync "missed" alone: how many, null: not known
///
///     event: limited                   without an id: no change, and nothing to resume after
///     data: {"message":"watch (mount shared, driver redis): the changes that others make are not reported: ..."}
///
/// The feed has no thread and keeps no events: they wait in the hub, once for all feeds of a base, and take() copies
/// those that this client has not had. A client that is slow, or reads nothing, costs the bytes of one take(), and gets
/// a resync for the events that the hub has dropped.
class EventFeed final : public http::Feed {
public:
  /// The subject of a watch: the keys under a base; or a key, and the keys under it.
  struct Subject {
    std::string key;
    bool is_base = false;
  };

  /// Begins to watch, which may wait for a store. It resumes after the event with the number `after`. `framed` means in
  /// chunks. It keeps `place` as long as it watches.
  EventFeed(Storage &storage, Subject subject, std::optional<std::uint64_t> after, bool framed,
            std::shared_ptr<void> place);
  ~EventFeed() override;

  void start(std::function<void()> ready) override;
  bool take(Buffer &out) override;
  void keep_alive(Buffer &out) override;
  void finish(Buffer &out) override;

private:
  const std::shared_ptr<void> place_;
  const Subject subject_;
  const bool framed_;
  std::function<void()> ready_; ///< set before the first take(), and only called after it
  std::uint64_t opening_ = 0;   ///< the number to resume after for a client that has seen no event yet; 0: sent
  PulledWatch watch_;           ///< the last member: it ends before what it uses
};

} // namespace omnistore::routes
