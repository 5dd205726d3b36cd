// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string_view>

#include <omnistore/child.hpp>
#include <omnistore/coherence.hpp>

#include "copies/records.hpp"
#include "fetching/sinks.hpp"
#include "quiet_log.hpp"
#include "settings.hpp"

namespace cache {

/// The result of reading a copy.
struct CopyResult {
  bool done = false; ///< the reader was served: `status` is the outcome
  omnistore_status status = OMNISTORE_OK;
  Age age = Age::over; ///< of the copy; `over` if there is none
  Record record{};     ///< of the copy, if its age is known
  bool has_copy() const { return age != Age::unknown && age != Age::over; }
};

/// The state before a request to the origin. Its response becomes a copy only if no clear has come since.
struct Seen {
  std::uint64_t clears;
  omnistore::Coherence::Ticket ticket;
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

/// The sink of a set that keeps the meta that it gives, and passes it on. If the outer sink fails, the set does not.
class ResultSink : public omnistore_sink {
public:
  explicit ResultSink(omnistore_sink *outer)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, outer_(outer) {}
  bool begun = false;
  omnistore_status taken = OMNISTORE_OK; ///< the status of the outer sink
  omnistore::ValueSink kept;

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    auto &self = *static_cast<ResultSink *>(sink);
    if (buffer) *buffer = nullptr;
    self.begun = self.kept.begin(&self.kept, meta, nullptr) == OMNISTORE_OK;
    if (self.outer_) self.taken = self.outer_->begin(self.outer_, meta, nullptr);
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
  omnistore_sink *outer_;
};

/// The copies and their records. Reading a copy holds no lock. A copy is stored under a shared lock of `clearing_`,
/// after a check that no clear came meanwhile. Thread-safe; the caller orders the changes of one key.
class Copies {
public:
  /// `coherence` may be null.
  Copies(const omnistore_host &host, const Settings &settings, omnistore::Child store,
         const omnistore::CoherentWatch *coherence, QuietLog &log);

  // reading.cpp
  /// Serves the reader from the copy, if it is no older than `oldest`.
  CopyResult read(omnistore::Call call, const ReadRequest &reading, Age oldest);
  Age age_of(std::string_view key, const Record &record, std::int64_t now) const;
  std::optional<Record> find(omnistore::Call call, std::string_view key) { return records_.find(call, key); }
  /// Returns the state of a key's copy in the words of explain.h. Sets `record` if there is one.
  std::string_view state(omnistore::Call call, std::string_view key, std::optional<Record> &record);
  const omnistore::Child &store() const { return store_; }

  // changing.cpp
  /// Call it before a request to the origin.
  Seen look_around(std::string_view key) const;
  /// Stores a copy of the value that the origin just gave, unless a clear came since `seen`. If that fails, drops the
  /// old copy.
  omnistore_status put(omnistore::Call call, std::string_view key, std::string_view value, omnistore_bytes user,
                       Record record, const Seen &seen);
  /// Makes a copy fresh again, because the origin's value has not changed. `origin` is the meta that it just gave.
  void renew(omnistore::Call call, std::string_view key, Record record, const omnistore_meta &origin, const Seen &seen);
  /// Notes that the origin has no such key.
  void put_absence(omnistore::Call call, std::string_view key, const Seen &seen);
  omnistore_status drop(omnistore::Call call, std::string_view key);
  /// Marks the copy as doubtful before a write. If the outcome of the write is not known, or the host is killed, the
  /// origin is read before the copy is used again. Returns the old record, for restore().
  std::optional<Record> mark_doubtful(omnistore::Call call, std::string_view key);
  /// Restores the record after a write that changed nothing.
  void restore(omnistore::Call call, std::string_view key, const std::optional<Record> &before);
  /// Call these around a clear of the origin. Between them, clear() or, after a failure, doubt() changes the copies.
  /// begin_clear() returns false if the clear could not be noted.
  omnistore_status begin_clear(omnistore::Call call, std::string_view base) { return records_.begin_clear(call, base); }
  void end_clear(omnistore::Call call, std::string_view base) { records_.end_clear(call, base); }
  void clear(omnistore::Call call, const omnistore_clear_request &request);
  void doubt(omnistore::Call call, std::string_view base);

private:
  struct AgeQuery {
    Copies *copies;
    std::string_view key;
    std::int64_t now;
  };
  static Age judge(void *judging, const omnistore_meta &copy, Record &record);
  bool trusts(std::string_view key, const Record &record) const;
  bool is_absent(std::string_view key, const std::optional<Record> &record, std::int64_t now) const;
  std::int64_t until(const Record &record) const;
  std::int64_t end_of(const Record &record) const;
  std::int64_t now() const { return host_.now(&host_); }

  const omnistore_host &host_;
  const Settings &settings_;
  const omnistore::Child store_;
  const omnistore::CoherentWatch *const coherence_; ///< null if the cache is not coherent
  QuietLog &log_;
  const bool keeps_; ///< values of the store are buffered before they go to the reader
  Records records_;

  std::shared_mutex clearing_;
  std::atomic<std::uint64_t> cleared_{0}; ///< how many clears there were
};

} // namespace cache
