// SPDX-License-Identifier: Apache-2.0
// Listings and clears, by SCAN.
//
// SCAN returns keys in no order, some of them twice, and its cursor ends with the server's process. A listing promises
// more: it is sorted, returns no key twice, and its cursors are valid for ever. So the first page of a listing scans
// the whole base, which SCAN visits anyway, and stores the keys in order. Further pages are cut from the stored keys,
// and the cursor is the last key. The base is scanned again if it has more keys than are stored, or if the stored keys
// are gone: after a restart, or when no page was requested for a while.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>

#include "listing/scan.hpp"
#include "listing/window.hpp"
#include "servers/servers.hpp"
#include "values/layout.hpp"

namespace redis {

/// Thread-safe. It must not move.
class Listings {
public:
  Listings(const omnistore_host &host, Servers &servers, const Layout &layout, std::uint32_t scan_count);

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page);

  /// Calls take(names) with names in Redis, among them all that match the pattern. Each that exists during the whole
  /// scan is given at least once. Throws Failure.
  void scan(omnistore::Call call, const std::string &pattern, const TakeNames &take) {
    redis::scan(servers_, call, pattern, scan_count_, take);
  }

private:
  /// The stored keys of a listing between two pages.
  struct PausedListing {
    std::uint64_t id = 0;
    std::string base;
    std::shared_ptr<const Window> window;
    Clock::time_point used;
  };
  struct Position {
    std::uint64_t run = 0;
    std::string_view last;
  };

  static Position position(const omnistore_list_request &request);
  PausedListing resume(omnistore::Call call, const Position &from, std::string_view base);
  void keep(PausedListing run);
  void forget(std::uint64_t id);
  void prune();
  static void OMNISTORE_CALL prune_later(void *self, omnistore_call *call);
  std::vector<std::uint8_t> which_exist(omnistore::Call call, std::span<const std::string_view> keys);
  omnistore_status emit(omnistore::Call call, const omnistore_list_request &request,
                        std::span<const std::string_view> keys, omnistore_page &page);
  omnistore_status emit_with_meta(omnistore::Call call, std::span<const std::string_view> keys, omnistore_page &page);

  const omnistore_host &host_;
  Servers &servers_;
  const Layout &layout_;
  const std::uint32_t scan_count_;

  std::mutex mutex_;
  std::vector<PausedListing> paused_;
  std::uint64_t next_id_;
  bool prunes_ = false; ///< the host has a task that prunes
};

} // namespace redis
