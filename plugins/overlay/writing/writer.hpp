// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "reading/reader.hpp"
#include "writing/conditions.hpp"

namespace overlay {

/// Writes single keys. Thread-safe.
class Writer {
public:
  Writer(Layers &layers, Reader &reader, Conditions &conditions)
      : layers_(layers), reader_(reader), conditions_(conditions) {}

  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result);
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request);

  // The caller of the functions below holds the key's stripe.
  omnistore_status forget_removal(Call call, std::string_view key);
  omnistore_status record_removal(Call call, std::string_view key, std::vector<std::uint32_t> &recorded);

private:
  omnistore_status set_locked(Call call, std::string_view key, const omnistore_set_request &request,
                              omnistore_sink *result);
  omnistore_status set_in_layers(Call call, std::string_view key, const omnistore_set_request &request,
                                 const LayerCondition &guarded, omnistore_sink *result);
  omnistore_status stream(Call call, std::string_view key, const omnistore_set_request &request,
                          omnistore_sink *result);
  omnistore_status remove_locked(Call call, std::string_view key, std::uint32_t condition, std::string_view etag);
  void undo_records(Call call, std::string_view key, std::span<const std::uint32_t> recorded);
  omnistore_status copy_up(Call call, std::string_view key, const Layer &from, const omnistore_touch_request &touch,
                           const LayerCondition &guarded = {});
  template <typename Write>
  omnistore_status write_and_drop_copies(omnistore::RecordingCall &call, std::string_view key, Write write);

  Layers &layers_;
  Reader &reader_;
  Conditions &conditions_;
};

} // namespace overlay
