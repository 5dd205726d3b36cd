// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/child.hpp>
#include <omnistore/ext/revalidate.h>

#include "copies/copies.hpp"
#include "fetching/flights.hpp"
#include "fetching/refresher.hpp"
#include "fetching/sinks.hpp"
#include "watching/reports.hpp"

namespace cache {

/// Requests values from the origin, for readers and in the background, and has them copied. A request to the origin for
/// a key holds the key's flight (flights.hpp), and so does a write. Thread-safe.
class Fetcher {
public:
  /// `coherence` may be null.
  Fetcher(const omnistore_host &host, const Settings &settings, omnistore::Child origin, Copies &copies,
          Reports &reports, const omnistore::CoherentWatch *coherence, QuietLog &log);

  /// Gives the origin's value to a reader whose copy, `look`, could not be used. `landings` is landings() before the
  /// copy was read.
  omnistore_status fetch(omnistore::Call call, const ReadRequest &reading, CopyResult look, std::uint64_t landings);
  /// Gives the origin's meta, without the value, for a key that has no copy or too old a one. It does not wait for the
  /// key's flight. The copy and its record change only if no flight has overtaken this request since `landings`.
  omnistore_status fetch_meta(omnistore::Call call, const ReadRequest &reading, const CopyResult &look,
                              std::uint64_t landings);
  std::uint64_t landings(std::string_view key) const { return flights_.landings(key); }
  /// Waits for the key's flight. Returns an empty one, after call.fail(), if the caller's time is over.
  Flights::Flight begin_flight(omnistore::Call call, std::string_view key);

  Refresher &refresher() { return refresher_; }
  std::uint64_t fetches() const { return fetches_; }
  std::uint64_t refreshes() const { return refreshes_; }

private:
  omnistore_status fetch_in(omnistore::Call call, const ReadRequest &reading, const CopyResult &look,
                            Flights::Flight &flight);
  omnistore_status from_copy_or(omnistore::Call call, const ReadRequest &reading, omnistore_status failure,
                                const omnistore::CapturingCall &failed);
  omnistore_status request_value(omnistore::Call call, std::string_view key, const Record *have, FetchSink &into,
                                 bool &unchanged) const;
  bool is_probably_same(const CopyResult &look) const;
  bool pause(omnistore::Call call, unsigned attempt);
  void refresh(omnistore::Call call, const std::string &key);
  /// A refresh found a change. A coherent cache has reported it when the origin did.
  void report(std::string_view key, std::uint32_t type, std::uint32_t cause);
  std::int64_t now() const { return host_.now(&host_); }

  const omnistore_host &host_;
  const Settings &settings_;
  const omnistore::Child origin_;
  const omnistore_revalidate *const revalidates_; ///< the extension of the origin's driver; null: it has none
  Copies &copies_;
  Reports &reports_;
  const omnistore::CoherentWatch *const coherence_; ///< null if the cache is not coherent
  Flights flights_;
  std::atomic<std::uint64_t> fetches_{0}, refreshes_{0};
  Refresher refresher_; ///< the last member, since its threads use the others
};

} // namespace cache
