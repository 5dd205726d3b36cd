// SPDX-License-Identifier: Apache-2.0
// Batches. S3 has none but DeleteObjects: the other items of a batch are requests of their own, several at once.
#pragma once

#include <cstddef>
#include <span>

#include <omnistore/call.hpp>
#include <omnistore/driver.hpp>

#include "bucket.hpp"
#include "removing.hpp"
#include "writing.hpp"

namespace s3 {

/// The functions are those of driver.h. Any thread.
class Batches {
public:
  Batches(Bucket &bucket, Writer &writer, Remover &remover) : bucket_(bucket), writer_(writer), remover_(remover) {}

  omnistore_status get_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses);
  omnistore_status stat_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses);
  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses);
  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses);

private:
  /// How many requests of one batch are on their way at once.
  std::size_t width() const { return bucket_.settings().limits.connections; }

  Bucket &bucket_;
  Writer &writer_;
  Remover &remover_;
};

} // namespace s3
