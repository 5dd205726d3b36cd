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

#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

#include "storage/call.hpp"

namespace omnistore {

class Node;

/// What the gets of one thread ask, node by node, as long as it lives: each node looks here when it is asked. One at a
/// time for a thread; nodes that a layer asks on another thread are not seen.
class Trace {
public:
  /// Of one key, as the mount's node knows it: what layers ask beside it is their bookkeeping (its key ends in '$') and
  /// no hop. `key` must outlive it.
  /// `tell` gives what a node's driver adds about a key; nullopt: it did not say in time.
  using Tell = std::function<std::optional<std::string>(Node &node, std::string_view key)>;
  Trace(std::string_view key, Tell tell) : key_(key), tell_(std::move(tell)) { current_ = this; }
  ~Trace() { current_ = nullptr; }
  Trace(const Trace &) = delete;
  Trace &operator=(const Trace &) = delete;

  /// This thread's; null: nobody wants to know.
  static Trace *current() { return current_; }

  /// False: the node is being asked by ask(), and goes on with its work.
  bool enters(const Node &node) {
    if (entering_ != &node) return true;
    entering_ = nullptr;
    return false;
  }
  /// Asks a node by `again` (its operation once more, with this call and sink), and keeps what it answers.
  template <typename Again>
  omnistore_status ask(Node &node, omnistore_call *call, omnistore_bytes key, omnistore_sink *sink, Again again) {
    if (is_bookkeeping(key)) {
      entering_ = &node;
      return again(call, sink);
    }
    Listening listening(*this, node, call, key, sink);
    entering_ = &node;
    return listening.done(again(static_cast<omnistore_call *>(&listening.call), sink ? &listening.sink : nullptr));
  }

  /// The tree of nodes from this one down.
  Hop hop(const Node &node) const;
  /// The way from a node that answered to the one below it that the value came from.
  std::vector<std::uint32_t> answered(const Node &node) const;

private:
  struct Asked {
    Hop hop;               ///< without driver and children
    std::uint32_t hit = 0; ///< when its last hit was, counted in hits; 0: it had none
  };
  /// Keeps the message that a store gives, and gives it on.
  struct Call : PassedCall {
    explicit Call(omnistore_call *outer_call);
    std::string message;
  };
  /// Sees whether a value is there that is not wanted, and gives it on.
  struct Sink : omnistore_sink {
    explicit Sink(omnistore_sink *outer_sink);
    omnistore_sink *const outer;
    omnistore_status seen(omnistore_status status) {
      refused = refused || status != OMNISTORE_OK;
      return status;
    }
    bool refused = false;
  };
  struct Listening {
    Listening(Trace &in, Node &node, omnistore_call *outer, omnistore_bytes key, omnistore_sink *to);
    omnistore_status done(omnistore_status status);

    Trace &trace;
    Asked &asked;
    Call call;
    Sink sink;
    std::chrono::nanoseconds apart; ///< that passed for the trace itself before this began
    std::chrono::steady_clock::time_point start;
  };
  bool is_bookkeeping(omnistore_bytes key) const;

  static inline constinit thread_local Trace *current_ = nullptr;

  const std::string_view key_;
  const Tell tell_;
  const Node *entering_ = nullptr;
  std::unordered_map<const Node *, Asked> asked_;
  std::uint32_t hits_ = 0;
  std::chrono::nanoseconds apart_{0}; ///< what was asked for the trace alone took so long; it is in no hop's time
};

} // namespace omnistore
