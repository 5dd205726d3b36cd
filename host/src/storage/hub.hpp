// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore {

/// Hands events to watches. Thread-safe. Without a watch an event costs one load.
///
/// Each watch has a queue and a thread of its own: a slow one is bounded, and holds up neither writers nor others.
class Hub {
public:
  Hub();
  ~Hub() { stop(); }
  Hub(const Hub &) = delete;
  Hub &operator=(const Hub &) = delete;

  /// Ends every watch; returns after the last callback has returned.
  void stop();
  bool active() const { return watches_->load(std::memory_order_relaxed) != 0; }
  void publish(Event::Type type, Event::Cause cause, std::string_view key);
  /// `base` is a key in its normal form, or empty.
  Watch watch(std::string base, std::function<void(const Event &)> callback, std::size_t queue);

private:
  std::shared_ptr<std::atomic<std::size_t>> watches_; ///< those that run; shared with them
  std::mutex mutex_;
  std::vector<std::shared_ptr<Watch::State>> states_;
  std::uint64_t sequence_ = 0;
};

} // namespace omnistore
