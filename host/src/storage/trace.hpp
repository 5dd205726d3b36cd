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

/// What the gets of one thread ask, store by store, as long as it lives: each store looks here when it is asked. One at
/// a time for a thread; stores that a layer asks on another thread are not seen.
class Trace {
public:
  /// Of one key, as the mount's store knows it: what layers ask beside it is their bookkeeping (its key ends in '$')
  /// and no hop. `key` must outlive it. `tell` gives what a store's driver adds about a key; nullopt: it did not say in
  /// time.
  using Tell = std::function<std::optional<std::string>(Store &store, std::string_view key)>;
  Trace(std::string_view key, Tell tell) : key_(key), tell_(std::move(tell)) { current_ = this; }
  ~Trace() { current_ = nullptr; }
  Trace(const Trace &) = delete;
  Trace &operator=(const Trace &) = delete;

  /// This thread's; null: nobody wants to know.
  static Trace *current() { return current_; }

  /// Returns false if ask() is calling the store already: the store then does its work.
  bool enters(const Store &store) {
    if (entering_ != &store) return true;
    entering_ = nullptr;
    return false;
  }
  /// Asks a store by `again` (its operation once more, with this call and sink), and keeps what it answers.
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

  /// The tree of stores from this one down.
  Hop hop(const Store &store) const;
  /// The way from a store that answered to the one below it that the value came from.
  std::vector<std::uint32_t> answered(const Store &store) const;

private:
  struct Asked {
    Hop hop;               ///< without driver and children
    std::uint32_t hit = 0; ///< when its last hit was, counted in hits; 0: it had none
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
    std::chrono::nanoseconds apart; ///< that passed for the trace itself before this began
    std::chrono::steady_clock::time_point start;
  };
  bool is_bookkeeping(omnistore_bytes key) const;

  static inline constinit thread_local Trace *current_ = nullptr;

  const std::string_view key_;
  const Tell tell_;
  const Store *entering_ = nullptr;
  std::unordered_map<const Store *, Asked> asked_;
  std::uint32_t hits_ = 0;
  std::chrono::nanoseconds apart_{0}; ///< what was asked for the trace alone took so long; it is in no hop's time
};

} // namespace omnistore
