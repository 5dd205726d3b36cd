// SPDX-License-Identifier: Apache-2.0
// The class of the layer `cache`. Its members are in several files: cache.cpp (opening, reading copies, listing),
// fetching/fetching.cpp (requests to the origin), writing.cpp, watching.cpp and explaining.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <omnistore/child.hpp>
#include <omnistore/driver.hpp>
#include <omnistore/ext/revalidate.h>
#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

#include "copies/records.hpp"
#include "fetching/flights.hpp"
#include "fetching/sinks.hpp"
#include "fetching/workers.hpp"

namespace cache {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::Child, omnistore::is_failure,
    omnistore::CapturingCall;

/// The options. All spans are in milliseconds.
struct Settings {
  explicit Settings(const omnistore::Options &options);

  std::int64_t max_age, max_stale, stale_if_error, negative_max_age;
  bool revalidate, head_only;
  unsigned retry;
  std::size_t refreshes;
  std::uint64_t largest;
};

/// The layer. README.md says what it promises.
///
/// A request to the origin for a key, and a write of it, hold the key's flight (flights.hpp). Reading a copy holds no
/// lock. A copy is stored under a shared lock of `clearing_`, after a check that no clear came meanwhile.
class Cache {
public:
  Cache(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
        std::span<const omnistore_store *const> children);
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
  /// The result of reading a copy.
  struct CopyResult {
    bool done = false; ///< the reader was served: `status` is the outcome
    omnistore_status status = OMNISTORE_OK;
    Age age = Age::over; ///< of the copy; `over` if there is none
    Record record{};     ///< of the copy, if its age is known
    bool has_copy() const { return age != Age::unknown && age != Age::over; }
  };
  struct AgeQuery {
    Cache *cache;
    std::string_view key;
    std::int64_t now;
  };
  struct ReadRequest {
    std::string_view key;
    const omnistore_get_request &request;
    omnistore_sink &sink;
    bool stat; ///< meta alone

    /// A copy without user meta still serves the rest of its meta. The cache calls the origin only for a reader who
    /// wants nothing except the user meta, under `key$`.
    bool asks_user_alone() const {
      return stat && request.flags & OMNISTORE_GET_USER && !(request.flags & OMNISTORE_GET_META);
    }
  };
  /// A watch, which also watches the origin. It passes on only those of the origin's events that end values. Changes
  /// that others make there are reported when a refresh finds them, so that each is reported once.
  struct Watch : omnistore_watcher {
    Watch(std::string_view of, omnistore_watcher &watcher)
        : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, base(of), to(watcher) {}

    const std::string base;
    omnistore_watcher &to;
    bool listens = false;
    void *of_origin = nullptr;

  private:
    static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept;
  };

  // cache.cpp: reading copies
  static Age judge(void *judging, const omnistore_meta &copy, Record &record);
  std::string_view state_of_copy(Call call, std::string_view key, std::optional<Record> &record);
  Age age_of(const Record &record, std::int64_t now) const;
  std::int64_t now() const { return host_.now(&host_); }
  omnistore_status read(Call call, const ReadRequest &reading);
  CopyResult from_copy(Call call, const ReadRequest &reading, Age oldest);
  omnistore_status from_copy_or(Call call, const ReadRequest &reading, omnistore_status failure,
                                const CapturingCall &failed);

  // fetching/fetching.cpp: requests to the origin
  /// `landings` is Flights::landings() before the copy was read.
  omnistore_status fetch(Call call, const ReadRequest &reading, CopyResult look, std::uint64_t landings);
  omnistore_status fetch_in(Call call, const ReadRequest &reading, const CopyResult &look, Flights::Flight &flight);
  omnistore_status fetch_meta(Call call, const ReadRequest &reading, const CopyResult &look);
  omnistore_status request_value(Call call, std::string_view key, const Record *have, FetchSink &into,
                                 bool &unchanged) const;
  bool pause(Call call, unsigned attempt);
  void refresh_later(std::string_view key);
  void refresh(Call call, const std::string &key);
  void refresh_in(Call call, const std::string &key);
  void note_failure(const std::string &key, const std::string &message);
  void note_success(const std::string &key);

  /// Waits for the key's flight. Returns an empty one, after call.fail(), if the caller's time is over.
  Flights::Flight begin_flight(Call call, std::string_view key);

  // writing.cpp: changes of copies and of the origin
  std::int64_t until(const Record &record) const;
  omnistore_status store_copy(Call call, std::string_view key, std::string_view value, omnistore_bytes user,
                              Record record, std::uint64_t seen);
  /// `origin` is the meta that the origin just gave.
  void renew(Call call, std::string_view key, Record record, const omnistore_meta &origin, std::uint64_t seen);
  void store_absence(Call call, std::string_view key);
  omnistore_status drop(Call call, std::string_view key);
  std::optional<Record> mark_doubtful(Call call, std::string_view key);
  void restore_record(Call call, std::string_view key, const std::optional<Record> &before);
  std::int64_t end_of(const Record &record) const;
  omnistore_status clear_both(Call call, const omnistore_clear_request &request, omnistore_page *removed);
  template <typename Write>
  omnistore_status at_origin(Call call, std::string_view key, std::uint32_t condition, std::string_view etag,
                             Write write);
  void report(std::string_view key, std::uint32_t type, std::uint32_t cause);
  void warn(const std::string &message);

  const omnistore_host &host_;
  const Settings settings_;
  const Child copies_, origin_;
  const omnistore_revalidate *const revalidates_; ///< the extension of the origin's driver; null: it has none
  const bool keeps_; ///< values of the copies' store are buffered before they go to the reader
  Records records_;
  Flights flights_;

  std::shared_mutex clearing_;
  std::atomic<std::uint64_t> cleared_{0}; ///< how many clears there were

  std::atomic<std::uint64_t> fetches_{0}, refreshes_{0}, refresh_failures_{0}; ///< see stats()

  std::mutex refresh_mutex_;
  std::unordered_set<std::string, TextHash, std::equal_to<>> refreshing_; ///< refreshes that wait or are under way
  struct Backoff {
    std::int64_t until; ///< no refresh before this time
    std::int64_t pause;
  };
  std::unordered_map<std::string, Backoff> failing_;
  std::int64_t warned_ = 0; ///< the time of the last warning

  std::mutex watch_mutex_;
  std::vector<std::unique_ptr<Watch>> watches_;
  Workers workers_; ///< the last member, since its threads use the others
};

} // namespace cache
