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
  unknown, ///< no record of it is in memory
  fresh,
  stale, ///< may be served, and is to be refreshed
  old,   ///< the origin is asked first; where that fails it may be served
  over,  ///< not served any more
};

/// Gives on a part of a value that lies in memory.
omnistore_status give(std::string_view value, const omnistore_meta &meta, const omnistore_get_request &request,
                      omnistore_sink &sink);

/// Stands before the reader's sink while a copy is read: asks `judge` how old it is, and lets it through with the
/// origin's meta where `lets` says so. What a store that never blocks gives is kept until it is done, since it may hold
/// its locks and the reader may be slow (driver.h).
class CopyFilter : public omnistore_sink {
public:
  /// Tells the age of a copy in this state, and what is known of it.
  using AgeOf = Age (*)(void *judge, const omnistore_meta &copy, Record &record);

  CopyFilter(omnistore_sink &reader, const omnistore_get_request &request, bool keeps, Age oldest, AgeOf judge,
             void *self)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, reader_(reader), request_(request),
        keeps_(keeps), oldest_(oldest), judge_(judge), self_(self) {}
  CopyFilter(const CopyFilter &) = delete;
  CopyFilter &operator=(const CopyFilter &) = delete;

  /// Holds a copy back whose user meta is not known.
  void need_user() { needs_user_ = true; }
  /// After the store is done: gives on what was kept.
  omnistore_status finish();
  /// Whether the copy was seen, and was too old to be let through.
  bool held_back() const { return seen_ && !let_; }
  /// Whether the reader's sink has begun: nothing else can be given any more.
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
  const Age oldest_; ///< that is let through
  const AgeOf judge_;
  void *const self_;
  bool seen_ = false, let_ = false, begun_ = false, needs_user_ = false;
  Age age_ = Age::unknown;
  Record record_;
  omnistore_meta meta_{}; ///< as it is shown; its etag is the record's
  std::string kept_, user_;
  std::uint64_t put_ = 0; ///< of kept_, where the store was given it as its buffer
};

/// Takes what the origin gives, up to a size. What is larger goes on to the reader as it comes, where there is one.
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
  /// Whether it was too large to be kept; it went to the reader, or to nobody.
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
