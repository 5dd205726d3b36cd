// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include <omnistore/child.hpp>

namespace overlay {

/// The writing side of a layer's store. If its watch also reports the overlay's own writes, it remembers the state that
/// they left, so that the overlay can distinguish such an echo from a change that others made. Thread-safe.
class Store {
public:
  Store(omnistore::Child of, std::uint32_t layer) : child(of), layer_(layer), echoes_(of.can(OMNISTORE_WATCHES_OWN)) {}

  const omnistore::Child child;

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result = nullptr);
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request);
  omnistore_status clear(omnistore::Call call, std::string_view base);
  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            const omnistore_set_request *const *requests, omnistore_sink *const *results,
                            omnistore_status *statuses);
  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys, omnistore_status *statuses);

  /// Notes that a watch begins or ends.
  void watched(bool begins) { watches_.fetch_add(begins ? 1u : ~0u); }
  /// Sets `is` if the key has the state that the overlay has left.
  omnistore_status is_echo(omnistore::Call call, std::string_view key, bool &is);

private:
  bool remembers() const { return echoes_ && watches_.load(std::memory_order_relaxed) != 0; }
  omnistore_status state(omnistore::Call call, std::string_view key, std::string &state) const;
  void remember(std::string_view key, std::string state);
  void remember(omnistore::Call call, std::string_view key);

  const std::uint32_t layer_;
  const bool echoes_;
  std::atomic<unsigned> watches_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> left_states_; ///< by key: the state of the value; empty: removed
};

} // namespace overlay
