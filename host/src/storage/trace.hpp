// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <omnistore/child.hpp>
#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

#include "storage/call.hpp"

namespace omnistore {

class Store;

/// Records the calls of one thread's gets, store by store, until it is destroyed: each store looks here when it is
/// called. A thread has at most one. It does not see stores that a layer calls on another thread.
class Trace {
public:
  /// Traces one key of the mount's store. Other keys that layers read are their bookkeeping (they end in '$') and no
  /// hop. `key` must outlive it. `report` returns the driver's report about a key, or nullopt if it did not come in
  /// time.
  using Report = std::function<std::optional<std::string>(Store &store, std::string_view key)>;
  Trace(std::string_view key, Report report) : key_(key), report_(std::move(report)) { current_ = this; }
  ~Trace() { current_ = nullptr; }
  Trace(const Trace &) = delete;
  Trace &operator=(const Trace &) = delete;

  /// This thread's trace, or null if there is none.
  static Trace *current() { return current_; }

  /// Returns false if ask() calls the store already: the store then does its work.
  bool enters(const Store &store) {
    if (entering_ != &store) return true;
    entering_ = nullptr;
    return false;
  }
  /// Calls a store by `again` (its operation once more, with this call and sink), and keeps the result.
  template <typename Again>
  omnistore_status ask(Store &store, omnistore_call *call, omnistore_bytes key, omnistore_sink *sink, Again again) {
    if (is_bookkeeping(key)) {
      entering_ = &store;
      return again(call, sink);
    }
    Listening listening(*this, store, call, key, *sink);
    entering_ = &store;
    return listening.done(
        again(static_cast<omnistore_call *>(&listening.call), static_cast<omnistore_sink *>(&listening.sink)));
  }

  /// Returns the tree of stores from this one down.
  Hop hop(const Store &store) const;
  /// Returns the way from a store that had the value to the one below it that the value came from.
  std::vector<std::uint32_t> answered(const Store &store) const;

private:
  struct Asked {
    Hop hop;               ///< without driver and children
    std::uint32_t hit = 0; ///< the number of its last hit among all hits; 0 if it had none
  };
  /// Keeps the message of a store's failure, and passes it on.
  struct HopCall : WrappedCall {
    explicit HopCall(omnistore_call *outer);
    std::string message;
  };
  /// Passes a value on, and notes if it is not wanted.
  class HopSink final : public PassingSink {
  public:
    explicit HopSink(omnistore_sink &to) : PassingSink(to) { lend = nullptr; }
    bool refused = false;

  private:
    omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
      return noted(PassingSink::on_begin(meta, buffer));
    }
    omnistore_status on_write(const void *data, std::uint64_t bytes) override {
      return noted(PassingSink::on_write(data, bytes));
    }
    omnistore_status noted(omnistore_status status) {
      refused = refused || status != OMNISTORE_OK;
      return status;
    }
  };
  struct Listening {
    Listening(Trace &in, Store &store, omnistore_call *outer, omnistore_bytes key, omnistore_sink &to);
    omnistore_status done(omnistore_status status);

    Trace &trace;
    Asked &asked;
    HopCall call;
    HopSink sink;
    std::chrono::nanoseconds apart; ///< the time of the trace itself before this began
    std::chrono::steady_clock::time_point start;
  };
  bool is_bookkeeping(omnistore_bytes key) const;

  static inline constinit thread_local Trace *current_ = nullptr;

  const std::string_view key_;
  const Report report_;
  const Store *entering_ = nullptr;
  std::unordered_map<const Store *, Asked> asked_;
  std::uint32_t hits_ = 0;
  std::chrono::nanoseconds apart_{0}; ///< the time of calls for the trace alone, which is in no hop's time
};

} // namespace omnistore
