// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "storage/emulation/sidecars.hpp"
#include "storage/emulation/sweep.hpp"
#include "storage/functions.hpp"

namespace omnistore {

class Stripes;

/// Keeps a value's expiry if the driver cannot (without OMNISTORE_CAN_TTL), and its user meta (without
/// OMNISTORE_CAN_META). Both lie in the value's sidecar, under `key$` in the same store. Each write of a value that has
/// a sidecar, or gets one, holds the lock of its key.
///
/// Expiry. The sidecar is written before a value with an expiry, and removed after a value without one. If the host is
/// cut off in between, a value may end early, but an expiry is never lost. Reads lock nothing: an expired value is
/// removed under the lock, after another look. A sweep removes those that nobody reads.
///
/// User meta. It names the state of the value that it belongs to (sidecar.hpp). It is written after the value, and
/// shown only for a value in that state. If the driver gives no etags, the meta of the old value is removed before the
/// new value is set, since mtime and size may be equal.
class SidecarLayer {
public:
  /// `traits` are the driver's, `longest_key` the longest that it takes, `host` the services of its store.
  SidecarLayer(Functions &stack, const omnistore_traits &traits, std::uint64_t longest_key, Stripes &stripes,
               const omnistore_host &host);
  SidecarLayer(const SidecarLayer &) = delete;
  SidecarLayer &operator=(const SidecarLayer &) = delete;

  /// Looks for expiries that an earlier run has left. Called once, when the store is ready.
  void start();
  /// Removes the sidecar of a value that the driver removed by itself.
  void value_removed(std::string_view key);

  /// Removes a value whose expiry has passed, and reports it to the host.
  void remove_expired(omnistore_call *call, std::string_view key);
  /// Removes the sidecar of a key that has no value.
  void remove_orphan(omnistore_call *call, std::string_view key);

private:
  omnistore_status get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                       omnistore_sink *sink);
  omnistore_status stat(omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                        omnistore_sink *sink);
  omnistore_status set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                       omnistore_sink *result);
  omnistore_status remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request *request);
  omnistore_status list(omnistore_call *call, const omnistore_list_request *request, omnistore_page *page);
  omnistore_status touch(omnistore_call *call, omnistore_bytes key, const omnistore_touch_request *request);

  // sidecar_batches.cpp: for a driver that keeps expiries
  omnistore_status get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses);
  omnistore_status stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                             const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses);
  omnistore_status set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_set_request *const *requests, omnistore_sink *const *results,
                            omnistore_status *statuses);
  omnistore_status remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                               const omnistore_remove_request *const *requests, omnistore_status *statuses);

  /// Returns true if the host may keep an expiry, or user meta, of the key. A key that ends in `$` has neither.
  bool may_expire(std::string_view key) const;
  bool may_have_user(std::string_view key) const;
  omnistore_status live(omnistore_call *call, std::string_view key, Sidecar &sidecar);
  omnistore_status write(omnistore_call *call, std::string_view key, const Sidecar &sidecar, std::int64_t expiry);
  template <class Ask>
  omnistore_status read(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                        omnistore_sink *sink, Ask ask);
  omnistore_status set_expired(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request);
  omnistore_status set_with_sidecar(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                    std::int64_t expiry, omnistore_sink *result);
  omnistore_status set_stream(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                              omnistore_sink *result);
  omnistore_status remove_with_user(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request &request);

  const Functions below_;
  const Sidecars sidecars_;
  Stripes &stripes_;
  const omnistore_host &host_;
  const bool writes_, keeps_expiries_, keeps_user_, has_etags_;
  std::atomic<bool> may_expire_, may_have_user_; ///< there may be a sidecar with an expiry, with user meta
  Sweep sweep_;
};

} // namespace omnistore
