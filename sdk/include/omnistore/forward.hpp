// SPDX-License-Identifier: Apache-2.0
//
// omnistore/forward.hpp - the base of a layer over one store that passes most operations down
// unchanged, and the sinks, pages and calls that such layers put between the child and the caller.
//
//     class Polite : public omnistore::Forward<Polite> {
//     public:
//       Polite(const omnistore_host &, const omnistore::Options &, omnistore_traits &traits,
//              std::span<const omnistore_store *const> children)
//           : Forward(children[0], traits) {}
//       template <class Run>
//       omnistore_status around(const omnistore::Step &step, omnistore::Call call, Run run) {
//         if (omnistore::writes(step.operation)) greet();
//         return run(call);
//       }
//     };
//     OMNISTORE_PLUGIN(omnistore::driver<Polite>("polite", "1.0.0", "Greets", nullptr,
//                                                omnistore::forward_traits, 1, 1))
//
// A layer defines `around` to do something before or after every operation. It may also define its
// own member for an operation, which hides the one here and may call it as Forward::get(...).
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/child.hpp>
#include <omnistore/driver.h>
#include <omnistore/driver.hpp>
#include <omnistore/lag.hpp>
#include <omnistore/value.hpp>

namespace omnistore {

/// The functions of a store that work on keys.
enum class Operation : std::uint8_t {
  get,
  stat,
  set,
  remove,
  list,
  clear,
  get_many,
  stat_many,
  set_many,
  remove_many,
  touch,
  watch
};

/// Returns true if the operation may change the store.
constexpr bool writes(Operation operation) noexcept {
  switch (operation) {
  case Operation::set:
  case Operation::remove:
  case Operation::clear:
  case Operation::set_many:
  case Operation::remove_many:
  case Operation::touch:
    return true;
  default:
    return false;
  }
}

/// Returns the operation's name in configs, which is "set" for set_many too.
constexpr std::string_view name_of(Operation operation) noexcept {
  switch (operation) {
  case Operation::get:
  case Operation::get_many:
    return "get";
  case Operation::stat:
  case Operation::stat_many:
    return "stat";
  case Operation::set:
  case Operation::set_many:
    return "set";
  case Operation::remove:
  case Operation::remove_many:
    return "remove";
  case Operation::list:
    return "list";
  case Operation::clear:
    return "clear";
  case Operation::touch:
    return "touch";
  case Operation::watch:
    return "watch";
  }
  return "";
}

/// One operation as `around` sees it.
struct Step {
  Operation operation;
  std::uint32_t items = 1;              ///< the number of keys of a batch
  omnistore_status *statuses = nullptr; ///< the outcomes of a batch's items, after it has run
};

/// The traits in the table of a forwarding layer. The constructor of Forward replaces them by those
/// of its child.
inline constexpr omnistore_traits forward_traits{
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_PARALLEL,
    .capabilities = 0,
    .max_key_size = 0,
    .max_value_size = 0,
    .max_batch = 0,
    .keeps = OMNISTORE_KEEPS_UNKNOWN,
    .order = OMNISTORE_ORDER_NONE,
    .reserved = 0,
    .min_ttl = 0,
    .ttl_grain = 0,
};

/// A sink that keeps a value until the child's function has returned. It is for a child that never
/// blocks, which may hold its locks while it writes, and a reader that may be slow. A long value is
/// not copied if the child lends it.
class GatheringSink : public ValueSink {
public:
  GatheringSink() noexcept { lend = &lend_; }
  ~GatheringSink() {
    if (lent_) loan_.release(loan_.owner, loan_.item);
  }
  /// Passes on the value if `status`, which the child returned, is OMNISTORE_OK. Returns the
  /// outcome of both.
  omnistore_status finish(omnistore_status status, omnistore_sink &to) {
    if (status != OMNISTORE_OK) return status;
    const omnistore_meta given = meta();
    if (!lent_) return give(to, given, bytes);
    if (const omnistore_status begun = to.begin(&to, &given, nullptr); begun != OMNISTORE_OK)
      return begun;
    if (!takes_loans(to)) return to.write(&to, as_view(data_).data(), data_.size);
    const omnistore_status taken = to.lend(&to, data_.data, data_.size, &loan_);
    if (taken == OMNISTORE_OK) lent_ = false; // now the reader releases it
    return taken;
  }

private:
  static omnistore_status OMNISTORE_CALL lend_(omnistore_sink *sink, const void *data,
                                               std::uint64_t count,
                                               const omnistore_loan *loan) noexcept {
    auto &self = *static_cast<GatheringSink *>(sink);
    self.data_ = {data, count};
    self.loan_ = *Known(*loan);
    self.lent_ = true;
    return OMNISTORE_OK;
  }
  bool lent_ = false;
  omnistore_bytes data_{};
  omnistore_loan loan_{};
};

/// A page that keeps its keys until the child's function has returned, for the same reason as
/// GatheringSink. It also keeps the skipped parts and the cursor.
class GatheringPage : public omnistore_page {
public:
  GatheringPage() : omnistore_page{sizeof(omnistore_page), 0, &emit_, &next_, &skip_} {
    cursor_.reserve(OMNISTORE_MAX_CURSOR_SIZE); // so that storing a cursor cannot fail
  }
  GatheringPage(const GatheringPage &) = delete;
  GatheringPage &operator=(const GatheringPage &) = delete;
  /// Passes on the keys, even those that came before a failure, since a clear has removed them.
  /// Returns `status` if it is a failure, else the outcome of passing them on.
  omnistore_status finish(omnistore_status status, omnistore_page &to) {
    for (const Entry &entry : entries_) {
      omnistore_meta meta = entry.meta;
      meta.etag = as_bytes(entry.etag);
      meta.user = as_bytes(entry.user);
      const omnistore_status taken =
          to.emit(&to, as_bytes(entry.key), entry.has_meta ? &meta : nullptr);
      if (taken != OMNISTORE_OK) return status == OMNISTORE_OK ? taken : status;
    }
    if (status != OMNISTORE_OK) return status;
    if (const omnistore_status told = pass_on(skipped_, to); told != OMNISTORE_OK) return told;
    if (!cursor_.empty()) to.next(&to, as_bytes(cursor_));
    return OMNISTORE_OK;
  }

private:
  struct Entry {
    std::string key;
    bool has_meta;
    omnistore_meta meta;
    std::string etag, user;
  };
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept {
    return sdk::without_exceptions([&] {
      Entry entry{std::string(as_view(key)), meta != nullptr, make_meta(0), {}, {}};
      if (meta) {
        entry.meta = whole(*meta);
        entry.etag = as_view(entry.meta.etag);
        entry.user = as_view(entry.meta.user);
      }
      static_cast<GatheringPage *>(page)->entries_.push_back(std::move(entry));
      return OMNISTORE_OK;
    });
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
    static_cast<GatheringPage *>(page)->cursor_ = as_view(cursor);
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base,
                                               omnistore_status status,
                                               omnistore_bytes message) noexcept {
    return sdk::without_exceptions([&] {
      static_cast<GatheringPage *>(page)->skipped_.push_back(
          {std::string(as_view(base)), status, std::string(as_view(message))});
      return OMNISTORE_OK;
    });
  }

  std::vector<Entry> entries_;
  std::vector<Skip> skipped_;
  std::string cursor_;
};

/// A call that keeps the failures that a store reports, for each item, until the layer decides
/// whether to pass them on.
class FailureBuffer : public WrappedCall {
public:
  struct Said {
    std::uint32_t item;
    std::string message;
    FailureDetails details;
  };
  explicit FailureBuffer(Call outer) noexcept : WrappedCall(outer, &fail_) {}
  /// Returns the last failure of an item, with an empty message if there was none.
  Said of(std::uint32_t item) const {
    Said last{item, {}, {}};
    for (const Said &each : said_)
      if (each.item == item)
        last = {item, each.message.empty() ? last.message : each.message, each.details};
    return last;
  }
  /// Passes all of them on.
  void pass_on_all() const {
    for (const Said &each : said_) pass_on(each.item, each.message, each.details);
  }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call,
                                   const omnistore_failure *failure) noexcept {
    auto &self = *static_cast<FailureBuffer *>(call);
    try {
      self.said_.push_back(
          {failure->item, std::string(as_view(failure->message)), details_of(*failure)});
    } catch (...) { // out of memory: the caller gets the status alone
    }
  }
  std::vector<Said> said_;
};

/// The base of a forwarding layer; `Layer` is the class that derives from it. Its functions may be
/// called on any number of threads at once. They pass down the context, the sinks, the pages and
/// the batches that they receive.
template <class Layer>
class Forward {
public:
  /// Sets `traits` to those of the child, with only the capabilities in `kept`. A layer that waits
  /// for something leaves out OMNISTORE_NEVER_BLOCKS. Capabilities that this header does not know
  /// are left out too, since a request loses the fields that it does not know. The layer is
  /// parallel even over a serialized child, which the host locks.
  Forward(const omnistore_store *child, omnistore_traits &traits,
          std::uint64_t kept = ~std::uint64_t{0})
      : child_(child), lag_(lag_of(child_)) {
    traits = *Known(child_.traits());
    traits.thread_model = OMNISTORE_PARALLEL;
    traits.capabilities &= kept & known;
    gathers_ =
        child_.can(OMNISTORE_NEVER_BLOCKS) && !(traits.capabilities & OMNISTORE_NEVER_BLOCKS);
  }
  Forward(const Forward &) = delete;
  Forward &operator=(const Forward &) = delete;

  /// Runs one operation; run(call) calls the child. A layer hides this member with its own.
  template <class Run>
  omnistore_status around(const Step &, Call call, Run run) {
    return run(call);
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    return layer().around({Operation::get}, call, [&](Call c) {
      if (!gathers_) return child_.get(c, key, request, sink);
      GatheringSink kept;
      return kept.finish(child_.get(c, key, request, kept), sink);
    });
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    return layer().around({Operation::stat}, call,
                          [&](Call c) { return child_.stat(c, key, request, sink); });
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    return layer().around({Operation::set}, call,
                          [&](Call c) { return child_.set(c, key, request, result); });
  }
  omnistore_status remove(Call call, std::string_view key,
                          const omnistore_remove_request &request) {
    return layer().around({Operation::remove}, call,
                          [&](Call c) { return child_.remove(c, key, request); });
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    return layer().around({Operation::list}, call, [&](Call c) {
      if (!gathers_) return child_.list(c, request, page);
      GatheringPage kept;
      return kept.finish(child_.list(c, request, kept), page);
    });
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request,
                         omnistore_page *removed) {
    return layer().around({Operation::clear}, call, [&](Call c) {
      if (!gathers_ || !removed) return child_.clear(c, request, removed);
      GatheringPage kept;
      return kept.finish(child_.clear(c, request, &kept), *removed);
    });
  }
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys,
                            Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    return layer().around(many(Operation::get_many, keys, statuses), call, [&](Call c) {
      if (!gathers_) return child_.get_many(c, keys, requests.raw(), sinks, statuses);
      std::deque<GatheringSink> kept(keys.size());
      std::vector<omnistore_sink *> pointers;
      for (GatheringSink &each : kept) pointers.push_back(&each);
      const omnistore_status status =
          child_.get_many(c, keys, requests.raw(), pointers.data(), statuses);
      if (status != OMNISTORE_OK) return status;
      for (std::size_t i = 0; i < keys.size(); ++i)
        statuses[i] = kept[i].finish(statuses[i], *sinks[i]);
      return status;
    });
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys,
                             Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses) {
    return layer().around(many(Operation::stat_many, keys, statuses), call, [&](Call c) {
      return child_.stat_many(c, keys, requests.raw(), sinks, statuses);
    });
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            Requests<omnistore_set_request> requests,
                            omnistore_sink *const *results, omnistore_status *statuses) {
    return layer().around(many(Operation::set_many, keys, statuses), call, [&](Call c) {
      return child_.set_many(c, keys, requests.raw(), results, statuses);
    });
  }
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               Requests<omnistore_remove_request> requests,
                               omnistore_status *statuses) {
    return layer().around(many(Operation::remove_many, keys, statuses), call, [&](Call c) {
      return child_.remove_many(c, keys, requests.raw(), statuses);
    });
  }
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    return layer().around({Operation::touch}, call,
                          [&](Call c) { return child_.touch(c, key, request); });
  }
  omnistore_status watch(Call call, const omnistore_watch_request &request,
                         omnistore_watcher &watcher, void **out) {
    return layer().around({Operation::watch}, call, [&](Call c) {
      if (!lag_) return child_.watch(c, request, watcher, out);
      return lag_->watch(child_.raw()->self, c.raw(), &request, &watcher, out);
    });
  }
  void unwatch(void *watch) { child_.unwatch(watch); }

  /// The layer's watches are those of the child, and so are their proofs (omnistore/ext/lag.h).
  const void *extension(const char *id) noexcept {
    return lag_ ? lag_extension<Layer>(id) : nullptr;
  }
  std::int64_t lag(void *watch) const { return lag_->lag(child_.raw()->self, watch); }

protected:
  ~Forward() = default;
  const Child &child() const noexcept { return child_; }
  /// Returns true if values and keys are kept until the child has returned, because the child never
  /// blocks and the layer may.
  bool gathers() const noexcept { return gathers_; }

private:
  static constexpr std::uint64_t known = (OMNISTORE_CANNOT_LIST << 1) - 1;

  Layer &layer() noexcept { return static_cast<Layer &>(*this); }
  static Step many(Operation operation, std::span<const omnistore_bytes> keys,
                   omnistore_status *statuses) noexcept {
    return {operation, static_cast<std::uint32_t>(keys.size()), statuses};
  }

  Child child_;
  const omnistore_lag *lag_; // null if the child's watches have no proofs
  bool gathers_ = false;
};

} // namespace omnistore
