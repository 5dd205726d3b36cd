// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <omnistore/storage.hpp>

#include "server/message.hpp"

namespace omnistore::server {

/// The places for streams of events. Thread-safe.
class Places {
public:
  explicit Places(unsigned most) : most_(most), taken_(std::make_shared<std::atomic<unsigned>>(0)) {}
  unsigned most() const { return most_; }
  /// A place, which is free again when its last owner lets it go; null: all are taken.
  std::shared_ptr<void> take();

private:
  const unsigned most_;
  const std::shared_ptr<std::atomic<unsigned>> taken_;
};

/// What changes in a storage, as server-sent events:
///
///     id: 17
///     event: update                    or remove, or resync: some were lost
///     data: {"key":"user/1"}           "cause" of a removal; of a resync "missed" alone: how many, null: not known
///
///     event: limited                   without an id: no change, and nothing to resume after
///     data: {"message":"watch (mount shared, driver redis): the changes that others make are not reported: ..."}
///
/// The watch's own thread writes them down. Where nobody takes them it waits: then the watch's queue fills, and what
/// finds no room there is made up for by a resync. So a client that is slow, or reads nothing, costs a bounded number
/// of bytes, and holds up nobody.
class EventFeed final : public Feed {
public:
  /// What is watched: the keys under a base; or a key, and the keys under it.
  struct Subject {
    std::string key;
    bool is_base = false;
  };

  /// Begins to watch, which may wait for a store. `after`: goes on behind the event of this number. `framed`: in
  /// chunks. `place` is kept as long as it watches.
  EventFeed(Storage &storage, Subject subject, std::optional<std::uint64_t> after, bool framed,
            std::shared_ptr<void> place);
  ~EventFeed() override;

  void start(std::function<void()> ready) override;
  void take(Buffer &out) override;
  void keep_alive(Buffer &out) override;
  void finish(Buffer &out) override;

private:
  void tell(const Event &event);
  void tell_limit(const std::string &message);
  /// Has `append` write an event, once there is room for it.
  template <typename Append>
  void write(const Append &append);

  const std::shared_ptr<void> place_;
  const Subject subject_;
  const bool framed_;
  std::mutex mutex_;
  std::condition_variable room_;
  Buffer written_; ///< and not taken yet
  std::function<void()> ready_;
  std::uint64_t opening_ = 0; ///< the number to go on from for a client that has seen no event yet; 0: told
  bool gone_ = false;
  Watch watch_; ///< the last member: it ends before what it uses
};

} // namespace omnistore::server
