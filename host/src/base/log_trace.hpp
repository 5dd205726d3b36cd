// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <utility>

namespace omnistore::base {

/// Names the trace (a W3C traceparent) that this thread works for, so that its log lines can name it too. It holds for
/// the life of the object, and the text must live as long.
class LogTrace {
public:
  explicit LogTrace(std::string_view trace) : before_(std::exchange(current_, trace)) {}
  ~LogTrace() { current_ = before_; }
  LogTrace(const LogTrace &) = delete;
  LogTrace &operator=(const LogTrace &) = delete;

  /// Returns the trace of this thread; empty if there is none.
  static std::string_view current() { return current_; }

private:
  static inline constinit thread_local std::string_view current_{};
  const std::string_view before_;
};

} // namespace omnistore::base
