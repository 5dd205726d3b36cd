// SPDX-License-Identifier: Apache-2.0
// The class of the layer `cache`. Its members are in cache.cpp (opening, reading, listing, watching), writing.cpp and
// explaining.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/child.hpp>
#include <omnistore/coherence.hpp>
#include <omnistore/driver.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

#include "copies/copies.hpp"
#include "fetching/fetcher.hpp"
#include "quiet_log.hpp"
#include "settings.hpp"
#include "watching/reports.hpp"

namespace cache {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::Child, omnistore::is_failure,
    omnistore::CapturingCall;

/// The layer. README.md says what it promises.
class Cache {
public:
  Cache(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
        std::span<const omnistore_store *const> children, Call call);
  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems);

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result);
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request);
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page);
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed);
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch);
  void unwatch(void *watch);
  std::string explain(Call call, std::string_view key);
  std::string stats(Call call);

private:
  std::int64_t now() const { return host_.now(&host_); }

  // cache.cpp: reading copies
  omnistore_status read(Call call, const ReadRequest &reading);

  // writing.cpp: changes of the origin
  omnistore_status clear_both(Call call, const omnistore_clear_request &request, omnistore_page *removed);
  template <typename Write>
  omnistore_status at_origin(Call call, std::string_view key, std::uint32_t condition, std::string_view etag,
                             Write write);

  const omnistore_host &host_;
  const Settings settings_;
  const Child origin_;
  QuietLog log_;
  const std::unique_ptr<omnistore::CoherentWatch> coherence_; ///< null if the cache is not coherent
  Copies copies_;
  Reports reports_;
  std::atomic<std::uint64_t> bypasses_{0}; ///< see stats()
  Fetcher fetcher_;                        ///< the last member, since its threads use the others
};

} // namespace cache
