// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/child.hpp>

#include "copies/record.hpp"

namespace cache {

/// How old a copy is.
enum class Age {
  unknown, ///< there is no record of it in memory
  fresh,
  stale,   ///< it may be served, and must be refreshed
  old,     ///< the origin is called first; if that fails, it may be served
  doubted, ///< another host may have changed the value: the origin is called first, and the copy is not served if it
           ///< fails
  over,    ///< it is not served any more
};

/// Gives the requested part of a value in memory to a sink.
omnistore_status give(std::string_view value, const omnistore_meta &meta, const omnistore_get_request &request,
                      omnistore_sink &sink);

/// The sink that a copy is read into, before the reader's sink. It calls `judge` for the age of the copy, and passes
/// the copy on, with the origin's meta, if it is no older than `oldest`. The value of a store that never blocks is
/// buffered until the store has finished, since the store may hold locks and the reader may be slow (driver.h).
class CopyFilter : public omnistore_sink {
public:
  /// Returns the age of a copy in this state, and its record.
  using AgeOf = Age (*)(void *judge, const omnistore_meta &copy, Record &record);

  CopyFilter(omnistore_sink &reader, const omnistore_get_request &request, bool keeps, Age oldest, AgeOf judge,
             void *self)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, reader_(reader), request_(request),
        keeps_(keeps), oldest_(oldest), judge_(judge), self_(self) {}
  CopyFilter(const CopyFilter &) = delete;
  CopyFilter &operator=(const CopyFilter &) = delete;

  /// Refuses a copy whose user meta is not known.
  void need_user() { needs_user_ = true; }
  /// Passes the buffered value on. Call it after the store has finished.
  omnistore_status finish();
  /// Returns true if there was a copy, and it was refused.
  bool held_back() const { return seen_ && !let_; }
  /// Returns true if the reader's sink has begun, so that nothing else can be given any more.
  bool begun() const { return begun_; }
  Age age() const { return age_; }
  const Record &record() const { return record_; }

private:
  omnistore_status begin(const omnistore_meta &copy, void **buffer);
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept;
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept;

  omnistore_sink &reader_;
  const omnistore_get_request &request_;
  const bool keeps_;
  const Age oldest_; ///< the oldest age that is passed on
  const AgeOf judge_;
  void *const self_;
  bool seen_ = false, let_ = false, begun_ = false, needs_user_ = false;
  Age age_ = Age::unknown;
  Record record_;
  omnistore_meta meta_{}; ///< the meta for the reader; its etag is the record's
  std::string kept_, user_;
  std::uint64_t put_ = 0; ///< the bytes of kept_ that were written
};

/// Stores the value that the origin gives, up to a size. A larger value is passed on to the reader, if there is one.
class FetchSink : public omnistore_sink {
public:
  /// `reader` may be null.
  FetchSink(std::uint64_t largest, omnistore_sink *reader)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, largest_(largest), reader_(reader) {}
  FetchSink(const FetchSink &) = delete;
  FetchSink &operator=(const FetchSink &) = delete;

  const std::string &value() const { return value_; }
  omnistore_meta meta() const;
  bool begun() const { return began_; }
  /// Returns true if the value was too large. It went to the reader, or nowhere.
  bool passed() const { return passed_; }

private:
  omnistore_status begin(const omnistore_meta &meta);
  omnistore_status write(std::string_view bytes);
  omnistore_status pass_on();
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept;
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept;

  const std::uint64_t largest_;
  omnistore_sink *const reader_;
  bool began_ = false, passed_ = false;
  std::string value_, etag_, user_;
  omnistore_meta meta_{};
};

} // namespace cache
