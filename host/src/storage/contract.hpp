// SPDX-License-Identifier: Apache-2.0
// The objects that a driver is given in place of the host's own. Each holds the driver to driver.h and keeps
// exceptions on the host's side: no exception passes through a driver's frames, whatever runs in it. Every sink,
// page and watcher that a driver sees is one of these.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_set.hpp>

#include <omnistore/driver.h>

#include "storage/call.hpp"

namespace omnistore {

/// Runs the host's part of a layer's call. An exception becomes a status, and the call gets its message.
template <class Function>
omnistore_status without_exceptions(omnistore_call *call, Function run) noexcept {
  const char *message = "the host failed";
  omnistore_status status = OMNISTORE_INTERNAL;
  try {
    return run();
  } catch (const std::bad_alloc &) {
    status = OMNISTORE_NO_SPACE;
    message = "the host is out of memory";
  } catch (...) {
  }
  return fail(call, status, message);
}

/// Runs a callback that returns nothing. An exception ends it early.
template <class Function>
void without_exceptions(Function run) noexcept {
  try {
    run();
  } catch (...) { // nobody waits for a result: the driver only wanted to report something
  }
}

/// How a driver can break its contract without failing.
enum class Fault : unsigned {
  outside_base,
  outside_range,
  too_deep,
  beyond_limit,
  repeated,
  no_key,
  not_ordered,
  bad_etag,
  odd_event,
  unknown_status,
  wrong_value, ///< it gave out a value in another way than a sink is used
  bad_cursor,
  slow, ///< it claims OMNISTORE_NEVER_BLOCKS
};

/// Counts a store's faults, and logs the first of each kind. Thread-safe.
class Faults {
public:
  /// `detail` is the key, or another detail to show; it may hold any bytes.
  void add(Fault fault, std::string_view detail = {}) noexcept;
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  /// Sets the names for the log.
  void name(std::string mount, std::string driver) {
    mount_ = std::move(mount);
    driver_ = std::move(driver);
  }

private:
  std::string mount_, driver_;
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint32_t> logged_{0};
};

/// Returns the status if this host knows it, else OMNISTORE_INTERNAL.
inline omnistore_status known_status(omnistore_status status, Faults &faults) {
  if (status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND) [[likely]]
    return status;
  if (static_cast<omnistore_status>(to_status(status)) == status) return status;
  faults.add(Fault::unknown_status, std::to_string(status));
  return OMNISTORE_INTERNAL;
}

/// The values that a store has lent and not got back yet. Thread-safe.
class Loans {
public:
  Loans() = default;
  Loans(const Loans &) = delete;
  Loans &operator=(const Loans &) = delete;

  std::size_t out() const;
  /// Waits until everything is back: the store can be closed then.
  void wait();
  /// Returns the store's loan as one that is counted until it is released. Throws std::bad_alloc.
  omnistore_loan count(const omnistore_loan &loan);
  /// It was not taken after all: the store keeps it.
  static void uncount(const omnistore_loan &counted) noexcept;

private:
  struct Lent;
  static void OMNISTORE_CALL release_(void *owner, void *item) noexcept;
  mutable std::mutex mutex_;
  std::condition_variable back_;
  std::size_t out_ = 0;
};

/// The sink of a get or a stat: it begins once, then takes as many bytes as were announced.
class CheckedSink : public omnistore_sink {
public:
  /// More than this cannot be a value: 1 PiB.
  static constexpr std::uint64_t most_bytes = std::uint64_t{1} << 50;

  /// For a range of a value. With `loans` the driver may lend it, if the inner sink takes that.
  CheckedSink(omnistore_sink *inner, Faults &faults, std::uint64_t offset, std::uint64_t length, Loans *loans = nullptr)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, loans && takes_loans(*inner) ? lend_ : nullptr},
        inner_(inner), faults_(faults), offset_(offset), length_(length), loans_(loans) {}
  /// For meta alone.
  CheckedSink(omnistore_sink *inner, Faults &faults) : CheckedSink(inner, faults, 0, 0, nullptr) {}
  CheckedSink(const CheckedSink &) = delete;
  CheckedSink &operator=(const CheckedSink &) = delete;

  bool begun() const { return begun_; }
  /// Returns the outcome of the driver's call. With `unchanged` it may have left the bytes out.
  omnistore_status settle(omnistore_status status, omnistore_call *call, std::uint32_t item = 0,
                          bool unchanged = false) const {
    if (wrong_ == Wrong::nothing && refused_ == OMNISTORE_OK) [[likely]] {
      if (status == OMNISTORE_OK && begun_ && (taken_ == expected_ || expected_ == OMNISTORE_UNKNOWN_SIZE)) [[likely]]
        return OMNISTORE_OK;
      if (status == OMNISTORE_NOT_FOUND && !begun_) return OMNISTORE_NOT_FOUND;
    }
    return settle_rest(status, call, item, unchanged);
  }

private:
  enum class Wrong : unsigned char { nothing, began_twice, wrote_first, too_many, absurd, no_memory, null };
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept;
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept;
  static omnistore_status OMNISTORE_CALL lend_(omnistore_sink *sink, const void *data, std::uint64_t size,
                                               const omnistore_loan *loan) noexcept;
  /// A layer's sink may be of an older header.
  static bool takes_loans(const omnistore_sink &sink) {
    return OMNISTORE_HAS(omnistore_sink, &sink, lend) && sink.lend;
  }
  omnistore_status settle_rest(omnistore_status status, omnistore_call *call, std::uint32_t item, bool unchanged) const;
  omnistore_status stop(Wrong wrong) {
    wrong_ = wrong;
    return wrong == Wrong::absurd ? OMNISTORE_TOO_LARGE : OMNISTORE_INTERNAL;
  }
  /// Runs the host's function for a part, and keeps its status.
  template <class Function>
  omnistore_status host(Function run) noexcept {
    try {
      return refused_ = run();
    } catch (const std::bad_alloc &) {
      wrong_ = Wrong::no_memory;
    } catch (const std::length_error &) {
      wrong_ = Wrong::no_memory;
    } catch (...) { // the inner sink keeps the failure
    }
    return refused_ = OMNISTORE_INTERNAL;
  }

  omnistore_sink *const inner_;
  Faults &faults_;
  const std::uint64_t offset_, length_;
  Loans *const loans_;
  std::uint64_t expected_ = 0, taken_ = 0;
  omnistore_status refused_ = OMNISTORE_OK; ///< the status of the host's side
  bool begun_ = false;
  Wrong wrong_ = Wrong::nothing;
};

/// The page of a list or a clear. It drops keys that were not requested.
class CheckedPage : public omnistore_page {
public:
  CheckedPage(omnistore_page *inner, Faults &faults, const omnistore_list_request &request, std::uint32_t order)
      : omnistore_page{sizeof(omnistore_page), 0, emit_, next_, skip_}, inner_(inner), faults_(faults),
        request_(&request), base_(view(request.base)), cursor_(view(request.cursor)), left_(request.limit),
        ordered_(order >= OMNISTORE_ORDER_KEYS) {}
  /// For the keys that a clear removed: any number, in any order.
  CheckedPage(omnistore_page *inner, Faults &faults, std::string_view base)
      : omnistore_page{sizeof(omnistore_page), 0, emit_, next_, skip_}, inner_(inner), faults_(faults), base_(base),
        left_(UINT64_MAX) {}
  CheckedPage(const CheckedPage &) = delete;
  CheckedPage &operator=(const CheckedPage &) = delete;

  omnistore_status settle(omnistore_status status, omnistore_call *call) const;

private:
  enum class Wrong : unsigned char { nothing, long_cursor, same_cursor, empty_cursor, no_memory };
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept;
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept;
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                               omnistore_bytes message) noexcept;
  /// Returns true if the listing shows folders, and the name is that of one.
  bool is_folder(std::string_view name) const {
    return request_ && request_->flags & OMNISTORE_LIST_FOLDERS && name.ends_with(':');
  }
  /// Returns true if the name was requested, and not given before.
  bool wanted(std::string_view name);
  bool repeated(std::string_view key);

  omnistore_page *const inner_;
  Faults &faults_;
  const omnistore_list_request *const request_ = nullptr; ///< of a list
  const std::string_view base_, cursor_;
  std::uint64_t left_;
  bool ordered_ = false;
  omnistore_status refused_ = OMNISTORE_OK;
  Wrong wrong_ = Wrong::nothing;
  std::string last_;                                ///< of an ordered page
  boost::unordered_flat_set<std::uint64_t> hashes_; ///< of any other
};

/// The watcher of a driver's watch.
class CheckedWatcher : public omnistore_watcher {
public:
  CheckedWatcher(omnistore_watcher *inner, Faults &faults, std::string_view base)
      : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, inner_(inner), faults_(faults), base_(base) {}
  CheckedWatcher(const CheckedWatcher &) = delete;
  CheckedWatcher &operator=(const CheckedWatcher &) = delete;

private:
  static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept;

  omnistore_watcher *const inner_;
  Faults &faults_;
  const std::string base_;
};

/// Returns true if a store may announce this event by itself, and reports it if not.
bool sound_removal(const omnistore_event &event, Faults &faults) noexcept;

/// Notices that cursors repeat in a circle, at the cost of one compare for each (R. P. Brent's method).
class CursorCheck {
public:
  /// Returns true if this cursor was seen before. It may miss the first round of a circle, and no more.
  bool repeats(std::string_view cursor) {
    if (cursor.empty()) return false; // the end
    if (cursor == kept_) return true;
    if (++steps_ < power_) return false;
    power_ *= 2;
    steps_ = 0;
    kept_ = cursor;
    return false;
  }

private:
  std::string kept_;
  std::uint64_t steps_ = 0, power_ = 1;
};

/// The message of such a listing's error.
inline constexpr const char *endless_listing =
    "the driver gives cursors that it gave before: the listing would never end";

} // namespace omnistore
