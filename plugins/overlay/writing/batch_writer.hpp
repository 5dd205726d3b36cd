// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "reading/reader.hpp"
#include "writing/writer.hpp"

namespace overlay {

/// Writes several keys with one batch for each layer. Items that need a condition, or more, are written one by one.
/// Thread-safe.
class BatchWriter {
public:
  BatchWriter(Layers &layers, Reader &reader, Writer &writer) : layers_(layers), reader_(reader), writer_(writer) {}

  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses);
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses);

private:
  bool plain(std::span<const omnistore_bytes> keys, const omnistore_set_request *const *requests) const;
  void drop_copies(Call call, PendingItems &left, omnistore_status *statuses);
  template <typename Step>
  void batch_write_layers(Call call, PendingItems &left, omnistore_status *statuses, Step step);

  Layers &layers_;
  Reader &reader_;
  Writer &writer_;
};

} // namespace overlay
