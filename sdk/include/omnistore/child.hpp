// SPDX-License-Identifier: Apache-2.0
//
// omnistore/child.hpp - the tools of a layer: the stores below it, and sinks, pages and calls to
// use them with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>
#include <omnistore/listing.hpp>
#include <omnistore/value.hpp>

namespace omnistore {
namespace sdk {

/// Runs the body of a callback and turns an exception into a status. There is no call to which its
/// message could be reported.
template <class F>
omnistore_status without_exceptions(F run) noexcept {
  try {
    return run();
  } catch (const std::bad_alloc &) {
    return OMNISTORE_NO_SPACE;
  } catch (...) {
    return OMNISTORE_INTERNAL;
  }
}

} // namespace sdk

/// Returns true if the status says that the store failed, rather than that the request was wrong or
/// found nothing.
constexpr bool is_failure(omnistore_status status) noexcept {
  switch (status) {
  case OMNISTORE_OK:
  case OMNISTORE_NOT_FOUND:
  case OMNISTORE_INVALID:
  case OMNISTORE_READ_ONLY:
  case OMNISTORE_CONFLICT:
  case OMNISTORE_TOO_LARGE:
  case OMNISTORE_UNSUPPORTED:
    return false;
  default:
    return true;
  }
}

/// Returns true if a write that failed with this status may still have changed something.
constexpr bool may_have_changed(omnistore_status status,
                                const FailureDetails &details = {}) noexcept {
  return is_failure(status) && status != OMNISTORE_DENIED && status != OMNISTORE_NO_SPACE &&
         !details.nothing_done;
}

/// The same for a clear, which may have removed some of the keys before it failed with any status.
constexpr bool clear_may_have_changed(omnistore_status status,
                                      const FailureDetails &details = {}) noexcept {
  return is_failure(status) && !details.nothing_done;
}

/// Copies meta of any size. Its views point to the bytes of the original.
inline omnistore_meta whole(const omnistore_meta &meta) noexcept { return *Known(meta); }

/// The base of a call that a layer passes down instead of the one that it received, to read or
/// change the failures that a child reports. It has the deadline and the context of the outer call
/// and must not outlive it. A derived class gives its own `fail`.
class WrappedCall : public omnistore_call {
public:
  WrappedCall(const WrappedCall &) = delete;
  WrappedCall &operator=(const WrappedCall &) = delete;
  operator Call() { return Call(this); }

protected:
  using Fail = void(OMNISTORE_CALL *)(omnistore_call *, const omnistore_failure *);
  WrappedCall(Call outer, Fail told) noexcept
      : omnistore_call{sizeof(omnistore_call), 0, outer.raw()->context, &remaining_, told},
        outer_(outer.raw()) {}
  void pass_on(std::uint32_t item, std::string_view message, const FailureDetails &details) const {
    Call(outer_).fail(item, OMNISTORE_OK, message, details);
  }

private:
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call) noexcept {
    const omnistore_call *outer = static_cast<const WrappedCall *>(call)->outer_;
    return outer->remaining(outer);
  }
  omnistore_call *outer_;
};

/// A call for a part of a batch, or for one of its items: it passes failures on for the item's
/// place in the whole batch, of which `from` is the part's first.
class ItemCall : public WrappedCall {
public:
  ItemCall(Call outer, std::uint32_t from) noexcept : WrappedCall(outer, &fail_), from_(from) {}

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call,
                                   const omnistore_failure *failure) noexcept {
    const auto &self = *static_cast<ItemCall *>(call);
    self.pass_on(failure->item + self.from_, as_view(failure->message), details_of(*failure));
  }
  const std::uint32_t from_;
};

/// A call that captures the failure that a store reports instead of passing it on, so that the
/// layer can add to the message, or drop it.
class CapturingCall : public WrappedCall {
public:
  explicit CapturingCall(Call outer) noexcept : WrappedCall(outer, &fail_) {}
  const std::string &message() const noexcept { return message_; }
  /// The message, or a text that says that there was none.
  std::string reason() const { return message_.empty() ? "it gave no reason" : message_; }
  /// The details besides the message.
  const FailureDetails &details() const noexcept { return details_; }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call,
                                   const omnistore_failure *failure) noexcept {
    auto &self = *static_cast<CapturingCall *>(call);
    self.details_ = details_of(*failure);
    if (failure->message.size == 0) return;
    try {
      self.message_ = as_view(failure->message);
    } catch (...) {
      self.message_.clear(); // out of memory: the caller gets the status alone
    }
  }
  std::string message_;
  FailureDetails details_;
};

/// A call that passes on the failure that a store reports, and records its details.
class RecordingCall : public WrappedCall {
public:
  explicit RecordingCall(Call outer) noexcept : WrappedCall(outer, &fail_) {}
  const FailureDetails &details() const noexcept { return details_; }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call,
                                   const omnistore_failure *failure) noexcept {
    auto &self = *static_cast<RecordingCall *>(call);
    self.details_ = details_of(*failure);
    self.pass_on(failure->item, as_view(failure->message), self.details_);
  }
  FailureDetails details_;
};

/// The call for the later steps of an operation after an earlier step has changed something. It
/// passes on failures without OMNISTORE_NOTHING_DONE, which a store reports for its own step alone.
class LaterStepCall : public WrappedCall {
public:
  explicit LaterStepCall(Call outer) noexcept : WrappedCall(outer, &fail_) {}

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call,
                                   const omnistore_failure *failure) noexcept {
    static_cast<LaterStepCall *>(call)->pass_on(failure->item, as_view(failure->message),
                                                {false, details_of(*failure).retry_after});
  }
};

/// A sink that keeps a value in memory, into which a layer reads a child's value. Use it for one
/// call of get or stat.
struct ValueSink : omnistore_sink {
  std::string bytes; ///< the value, or the requested range of it
  std::uint64_t value_size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  std::string etag, user;
  std::uint32_t flags = 0; ///< OMNISTORE_META_...

  ValueSink() noexcept : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr} {}
  ValueSink(const ValueSink &) = delete;
  ValueSink &operator=(const ValueSink &) = delete;

  /// The meta that was kept, to pass on. Its views point into this object.
  omnistore_meta meta() const noexcept {
    return {sizeof(omnistore_meta), flags,         value_size, mtime, expiry,
            as_bytes(etag),         as_bytes(user)};
  }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    if (buffer) *buffer = nullptr;
    auto *self = static_cast<ValueSink *>(sink);
    return sdk::without_exceptions([&] {
      const Known known(*meta);
      self->flags = known->flags;
      self->value_size = known->value_size;
      self->mtime = known->mtime;
      self->expiry = known->expiry;
      self->etag = as_view(known->etag);
      self->user = as_view(known->user);
      return OMNISTORE_OK;
    });
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data,
                                                std::uint64_t size) noexcept {
    return sdk::without_exceptions([&] {
      static_cast<ValueSink *>(sink)->bytes += as_view({data, size});
      return OMNISTORE_OK;
    });
  }
};

/// A sink that passes on everything that it receives. A derived class reads or changes it. It must
/// not outlive `to`.
class PassingSink : public omnistore_sink {
public:
  explicit PassingSink(omnistore_sink &to) noexcept
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_,
                       takes_loans(to) ? &lend_ : nullptr},
        to_(to) {}
  PassingSink(const PassingSink &) = delete;
  PassingSink &operator=(const PassingSink &) = delete;
  /// Returns true if the value has begun, so that it cannot be sent a second time.
  bool begun() const noexcept { return begun_; }

protected:
  ~PassingSink() = default;
  virtual omnistore_status on_begin(const omnistore_meta &meta, void **buffer) {
    return to_.begin(&to_, &meta, buffer);
  }
  virtual omnistore_status on_write(const void *data, std::uint64_t bytes) {
    return to_.write(&to_, data, bytes);
  }
  virtual omnistore_status on_lend(const void *data, std::uint64_t bytes,
                                   const omnistore_loan &loan) {
    return to_.lend(&to_, data, bytes, &loan);
  }
  omnistore_sink &to() const noexcept { return to_; }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    auto &self = *static_cast<PassingSink *>(sink);
    self.begun_ = true;
    return sdk::without_exceptions([&] { return self.on_begin(*meta, buffer); });
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data,
                                                std::uint64_t bytes) noexcept {
    return sdk::without_exceptions(
        [&] { return static_cast<PassingSink *>(sink)->on_write(data, bytes); });
  }
  static omnistore_status OMNISTORE_CALL lend_(omnistore_sink *sink, const void *data,
                                               std::uint64_t bytes,
                                               const omnistore_loan *loan) noexcept {
    return sdk::without_exceptions(
        [&] { return static_cast<PassingSink *>(sink)->on_lend(data, bytes, *loan); });
  }

  omnistore_sink &to_;
  bool begun_ = false;
};

/// A page with which a layer lists a child. It passes each key to
/// `take(std::string_view key, const omnistore_meta *meta) -> omnistore_status`, which must not
/// throw, and keeps the cursor and the skipped parts. A layer that passes on the keys passes on the
/// skipped parts too; one that needs all keys fails if anything was skipped.
template <class F>
struct PageSink : omnistore_page {
  F take;
  std::string cursor;        ///< the start of the next page; empty at the end
  std::vector<Skip> skipped; ///< the parts that the child could not read and left out

  explicit PageSink(F f)
      : omnistore_page{sizeof(omnistore_page), 0, &emit_, &next_, &skip_}, take(std::move(f)) {
    cursor.reserve(OMNISTORE_MAX_CURSOR_SIZE); // so that keeping a cursor cannot fail
  }
  PageSink(const PageSink &) = delete;
  PageSink &operator=(const PageSink &) = delete;

private:
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept {
    return sdk::without_exceptions(
        [&] { return static_cast<PageSink *>(page)->take(as_view(key), meta); });
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
    static_cast<PageSink *>(page)->cursor = as_view(cursor);
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base,
                                               omnistore_status status,
                                               omnistore_bytes message) noexcept {
    return sdk::without_exceptions([&] {
      static_cast<PageSink *>(page)->skipped.push_back(
          {std::string(as_view(base)), status, std::string(as_view(message))});
      return OMNISTORE_OK;
    });
  }
};

/// Returns `count` pointers to one request, for a batch in which all items have the same request.
template <class Request>
std::vector<const Request *> repeated(const Request &request, std::size_t count) {
  return std::vector<const Request *>(count, &request);
}

/// Passes on the parts that a child skipped to a layer's own page.
inline omnistore_status pass_on(const std::vector<Skip> &skipped, omnistore_page &page) {
  for (const Skip &each : skipped)
    if (const omnistore_status status = skip(page, each.base, each.status, each.message);
        status != OMNISTORE_OK)
      return status;
  return OMNISTORE_OK;
}

/// An opened store below a layer. It is as cheap to copy as a pointer, and valid as long as the
/// layer's own store. Its functions are those of the C table, each of which the host has filled in.
/// The thread model in the child's traits says on which threads they may be called.
class Child {
public:
  explicit Child(const omnistore_store *store) noexcept : store_(store) {}

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) const {
    return driver().get(store_->self, call.raw(), as_bytes(key), &request, &sink);
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) const {
    return driver().stat(store_->self, call.raw(), as_bytes(key), &request, &sink);
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result = nullptr) const {
    return driver().set(store_->self, call.raw(), as_bytes(key), &request, result);
  }
  omnistore_status remove(Call call, std::string_view key,
                          const omnistore_remove_request &request) const {
    return driver().remove(store_->self, call.raw(), as_bytes(key), &request);
  }
  omnistore_status list(Call call, const omnistore_list_request &request,
                        omnistore_page &page) const {
    return driver().list(store_->self, call.raw(), &request, &page);
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request,
                         omnistore_page *removed = nullptr) const {
    return driver().clear(store_->self, call.raw(), &request, removed);
  }
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys,
                            const omnistore_get_request *const *requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) const {
    return driver().get_many(store_->self, call.raw(), keys.data(), count(keys), requests, sinks,
                             statuses);
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys,
                             const omnistore_get_request *const *requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) const {
    return driver().stat_many(store_->self, call.raw(), keys.data(), count(keys), requests, sinks,
                              statuses);
  }
  /// `results` is null, or an array of as many sinks as keys, of which any may be null.
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            const omnistore_set_request *const *requests,
                            omnistore_sink *const *results, omnistore_status *statuses) const {
    return driver().set_many(store_->self, call.raw(), keys.data(), count(keys), requests, results,
                             statuses);
  }
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               const omnistore_remove_request *const *requests,
                               omnistore_status *statuses) const {
    return driver().remove_many(store_->self, call.raw(), keys.data(), count(keys), requests,
                                statuses);
  }
  omnistore_status touch(Call call, std::string_view key,
                         const omnistore_touch_request &request) const {
    return driver().touch(store_->self, call.raw(), as_bytes(key), &request);
  }
  omnistore_status watch(Call call, const omnistore_watch_request &request,
                         omnistore_watcher &watcher, void **watch) const {
    return driver().watch(store_->self, call.raw(), &request, &watcher, watch);
  }
  void unwatch(void *watch) const { driver().unwatch(store_->self, watch); }

  /// Reads the whole value, with its etag if the child gives one.
  omnistore_status read(Call call, std::string_view key, ValueSink &into) const {
    return get(call, key, {sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX}, into);
  }
  /// Stores a value without a condition. `expiry` is in Unix milliseconds; 0 means never. A value
  /// other than 0 needs a child with OMNISTORE_CAN_TTL.
  omnistore_status write(Call call, std::string_view key, std::string_view value,
                         std::int64_t expiry = 0) const {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = as_bytes(value);
    request.expiry = expiry;
    return set(call, key, request);
  }
  omnistore_status remove(Call call, std::string_view key) const {
    return remove(call, key,
                  {sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}});
  }

  const omnistore_traits &traits() const noexcept { return *store_->traits; }
  /// Returns true if the child natively has all of these capabilities.
  bool can(std::uint64_t capabilities) const noexcept {
    return (store_->traits->capabilities & capabilities) == capabilities;
  }
  std::string_view name() const noexcept { return driver().name; }
  /// Returns true if this store, or any store below it, belongs to the driver `name`.
  bool has(std::string_view name) const noexcept {
    if (this->name() == name) return true;
    if (!OMNISTORE_HAS(omnistore_store, store_, child_count)) return false;
    const std::span<const omnistore_store *const> below(store_->children, store_->child_count);
    return std::any_of(below.begin(), below.end(),
                       [name](const omnistore_store *each) { return Child(each).has(name); });
  }
  const omnistore_store *raw() const noexcept { return store_; }

private:
  const omnistore_store *store_;

  const omnistore_driver &driver() const noexcept { return *store_->driver; }
  static std::uint32_t count(std::span<const omnistore_bytes> keys) noexcept {
    return static_cast<std::uint32_t>(keys.size());
  }
};

} // namespace omnistore
