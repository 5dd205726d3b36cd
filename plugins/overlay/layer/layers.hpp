// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/coherence.hpp>
#include <omnistore/driver.hpp>
#include <omnistore/options.hpp>

#include "layer/layer.hpp"
#include "writing/copies.hpp"

namespace overlay {

struct Stripe {
  std::mutex mutex;
  std::atomic<std::uint64_t> writes{0}; ///< counts the writes that ended
};

/// Held by a write. A value that was read before the write ended is not promoted after it.
class WriteLock {
public:
  explicit WriteLock(Stripe &stripe) : stripe_(stripe), lock_(stripe.mutex) {}
  ~WriteLock() { stripe_.writes.fetch_add(1, std::memory_order_release); }

private:
  Stripe &stripe_;
  std::lock_guard<std::mutex> lock_;
};

/// The layers and their roles, the locks of keys, and the copies that promotion has made: the state that all parts of
/// the overlay share. Thread-safe: a read holds no lock, a write holds the stripe of its key, and a clear holds all
/// stripes.
class Layers {
public:
  Layers(const omnistore_host &of, const omnistore::Options &options, std::span<const omnistore_store *const> children,
         Call call);
  static void validate(const omnistore::Options &options, std::uint32_t count, omnistore::Problems &problems);

  Stripe &stripe(std::string_view key) { return stripes[std::hash<std::string_view>()(key) % stripes.size()]; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(all.size()); }
  Layer &top() { return all[written.front()]; }
  std::int64_t now() const { return host.now(&host); }
  bool has_lasting_copies() const;
  /// Returns false if the layer's value of the key is a copy that another host may have changed since. A reader must
  /// call it before it reads the layer: the copy may be replaced at any time, but only by one that is trusted then.
  bool may_read(const Layer &layer, std::string_view key) const { return !layer.proven || trusts(layer, key); }

  // The caller of the functions below holds the stripe of each key.
  std::deque<WriteLock> writing(std::span<const std::string_view> keys);
  template <typename Step>
  omnistore_status write_layers(Call call, std::uint32_t first, Step step);
  std::string how_far(std::span<const std::uint32_t> order, std::size_t place) const;
  omnistore_status drop_copies(Call call, std::string_view key);
  bool doubt_copies(Call call, std::string_view key, bool changed);

  const omnistore_host &host;
  std::deque<Layer> all;
  std::vector<std::uint32_t> written; ///< ascending
  bool promotes;
  OnError on_error;
  bool never_blocks;
  std::array<Stripe, 32> stripes; ///< a clear holds all of them, and the thread sanitizer supports at most 63
  Copies copies;
  mutable std::atomic<std::uint64_t> bypasses{0};      ///< reads that used no copy because the watch lagged
  std::unique_ptr<omnistore::CoherentWatch> coherence; ///< of the last layer; null if the overlay is not coherent

private:
  bool trusts(const Layer &layer, std::string_view key) const;
};

/// Runs `step(layer, call)` for each layer of `writeTo`: first the one that decides, then from the lowest to the
/// highest. It stops at the first failure, whose message says how far the write came.
template <typename Step>
omnistore_status Layers::write_layers(Call call, std::uint32_t first, Step step) {
  if (written.size() == 1) {
    LayerCall on(call, top());
    const omnistore_status status = on.with_reason(step(top(), on));
    return status == OMNISTORE_OK ? status : call.fail(status, {}, on.details());
  }
  std::vector<std::uint32_t> order(written.rbegin(), written.rend());
  const auto decides = std::find(order.begin(), order.end(), first);
  if (decides != order.end()) std::rotate(order.begin(), decides, decides + 1);
  for (std::size_t place = 0; place < order.size(); ++place) {
    CapturingCall caught(call);
    LayerCall on(caught, all[order[place]]);
    const omnistore_status status = on.with_reason(step(all[order[place]], on));
    if (status == OMNISTORE_OK) continue;
    return call.fail(status, caught.message() + how_far(order, place),
                     {on.details().nothing_done && place == 0, on.details().retry_after});
  }
  return OMNISTORE_OK;
}

} // namespace overlay
