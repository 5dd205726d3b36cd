// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reading/reader.hpp"

namespace overlay {

/// How a condition is guarded against other programs: one layer that others may write decides it.
struct LayerCondition {
  std::uint32_t layer =
      VisibleValue::nowhere; ///< the layer that decides, and is therefore written first; nowhere: none
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string etag;                           ///< without the layer's digit
  std::uint32_t seen = VisibleValue::nowhere; ///< the layer that has the value
};

/// Decides if a write may proceed, and how. The caller holds the key's stripe.
class Conditions {
public:
  Conditions(Layers &layers, Reader &reader) : layers_(layers), reader_(reader) {}

  std::uint64_t guaranteed() const;
  omnistore_status check_layers_above(Call call, std::string_view key);
  omnistore_status check_condition(Call call, std::string_view key, std::uint32_t condition, std::string_view etag,
                                   LayerCondition &guarded);

private:
  bool is_etag_of(Call call, std::string_view key, std::string_view etag, const VisibleValue &seen);
  void drop_outdated(Call call, std::string_view key, const VisibleValue &seen);
  omnistore_status guard(Call call, const Layer &layer, std::uint32_t condition, const VisibleValue &seen, bool marked,
                         const MetaCopy &meta, LayerCondition &guarded) const;

  Layers &layers_;
  Reader &reader_;
};

} // namespace overlay
