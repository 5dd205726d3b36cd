// SPDX-License-Identifier: Apache-2.0
// Listings and clears, by SCAN.
//
// SCAN gives keys in no order, some of them twice, and its cursor dies with the server's process. A listing promises
// more: none twice, and cursors that are good for ever. So its first page scans the whole base, which SCAN visits
// anyway, and keeps what it found, sorted; pages are cut from that, and the cursor is the last key. A base that is too
// large to be kept is scanned again when the pages have used up what was kept, as is one whose keys are kept no more:
// after a restart, or when nobody went on for a while.
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

/// Thread-safe. It must stay where it is.
class Listings {
public:
  Listings(const omnistore_host &host, Client &client, const Layout &layout, std::uint32_t scan_count);

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page);

  /// Calls take(keys) with keys of the store under a base, those of user meta too, until each that was there throughout
  /// has been given. A key may be given again. Throws Failure.
  template <class Take>
  void scan(omnistore::Call call, std::string_view base, Take take);

private:
  /// What a run over the pages goes on from.
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
  bool prunes_ = false; ///< the host has the task
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
      if (client_.epoch() != epoch) break; // a server that was restarted may know this cursor by another meaning
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
