// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "reading/reader.hpp"

namespace overlay {

/// Clears a base. A clear holds all stripes. Thread-safe.
class Clearer {
public:
  Clearer(Layers &layers, Reader &reader) : layers_(layers), reader_(reader) {}

  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed);

private:
  omnistore_status clear_layers(Call call, std::string_view base);
  omnistore_status clear_copies(Call call, std::string_view base);
  omnistore_status any_below(Call call, const Layer &layer, std::string_view base, bool &any);
  omnistore_status clear_layer(Call call, Layer &layer, std::string_view base);
  bool is_gone(Call call, std::string_view key);

  Layers &layers_;
  Reader &reader_;
};

} // namespace overlay
