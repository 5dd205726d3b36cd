// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "reading/reader.hpp"
#include "watching/watches.hpp"

namespace overlay {

/// Turns changes in the layers into events of the overlay. The host reports the overlay's own writes. Thread-safe.
class Events {
public:
  Events(Layers &layers, Reader &reader) : layers_(layers), reader_(reader), watches_(layers.host, &look, this) {}
  Events(const Events &) = delete;
  Events &operator=(const Events &) = delete;

  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    return watches_.begin(call, layers_, as_view(request.base), watcher, watch);
  }
  void unwatch(void *watch) { watches_.end(watch); }

private:
  static void OMNISTORE_CALL look(void *self, omnistore_call *call) noexcept;
  void look_at(Call call, const LayerChange &change);
  std::uint32_t type_of_value(const LayerChange &change, const VisibleValue &seen) const;
  std::uint32_t type_of_record(const LayerChange &change, const VisibleValue &seen) const;

  Layers &layers_;
  Reader &reader_;
  Watches watches_;
};

} // namespace overlay
