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

#include "connection/client.hpp"
#include "listing/window.hpp"
#include "values/layout.hpp"

namespace redis {

/// Thread-safe. It must not move.
class Listings {
public:
  Listings(const omnistore_host &host, Client &client, const Layout &layout, std::uint32_t scan_count);

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page);

  /// Calls take(keys) with the store's keys under a base, including those of user meta. Each key that exists during the
  /// whole scan is given at least once. Throws Failure.
  template <class Take>
  void scan(omnistore::Call call, std::string_view base, Take take);

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
  Client &client_;
  const Layout &layout_;
  const std::uint32_t scan_count_;

  std::mutex mutex_;
  std::vector<PausedListing> paused_;
  std::uint64_t next_id_;
  bool prunes_ = false; ///< the host has a task that prunes
};

template <class Take>
void Listings::scan(omnistore::Call call, std::string_view base, Take take) {
  constexpr unsigned max_starts = 10;
  const std::string pattern = layout_.pattern(base);
  std::vector<std::string_view> keys;
  for (unsigned start = 0; start < max_starts; ++start) {
    const std::uint64_t epoch = client_.epoch();
    std::string cursor = "0";
    do {
      Commands commands;
      commands.add("SCAN", cursor, "MATCH", pattern, "COUNT", scan_count_, "TYPE", "string");
      const Replies replies = client_.run(call, commands, OnBroken::resend);
      if (client_.epoch() != epoch) break; // after a restart of the server this cursor may mean something else
      redisReply *const *parts = array_of(*replies[0], 2);
      cursor = string_of(*parts[0]);
      keys.clear();
      for (std::size_t i = 0; i < parts[1]->elements; ++i) {
        if (const auto key = layout_.key_of(string_of(*parts[1]->element[i]))) keys.push_back(*key);
      }
      take(std::span<const std::string_view>(keys));
      if (cursor == "0") return;
    } while (true);
  }
  throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                           client_.endpoint().shown() + ": the connection broke again and again while it was listed");
}

} // namespace redis
