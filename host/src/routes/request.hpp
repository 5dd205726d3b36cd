// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <omnistore/storage.hpp>

#include "http/message.hpp"
#include "routes/audit_log.hpp"
#include "routes/token_file.hpp"
#include "storage/call.hpp"

namespace omnistore::routes {

using http::Buffer;
using http::Header;
using http::Method;
using http::Response;

/// A request with the key and query that its target names. The routes fill it in when they admit the request.
struct Request {
  explicit Request(http::Request &of) : message(of) {}
  Request(const Request &) = delete;
  Request &operator=(const Request &) = delete;

  http::Request &message;
  std::string key; ///< normalised; a base without the ':' at its end
  bool is_base = false;
  bool events = false;                ///< the client wants the changes, not the content
  std::string_view query;             ///< as it was sent, without the '?'
  Route route;                        ///< set by lane()
  std::shared_ptr<const Token> token; ///< that it came with; null if it has none
  AuditLog *audit = nullptr;          ///< null: there is none
  Caller caller;                      ///< on whose behalf the storage is called
  std::string_view page;              ///< the name of a file of the page
  bool logged_in = false;             ///< it came with the cookie of a session
  std::string session;                ///< the Authorization of that session

  operator const http::Request &() const { return message; }
  std::string_view operator[](Header header) const { return message[header]; }
  bool has(Header header) const { return message.has(header); }

  /// Returns the options with the rest of the request's time. All operations of a request get them, so that all of them
  /// together end by its deadline.
  template <typename Options>
  Options limited(Options options) const {
    using namespace std::chrono;
    options.cancelled = message.cancelled;
    if (!caller.trace.empty() || !caller.identity.empty()) options.caller = &caller;
    if (message.deadline == steady_clock::time_point::max()) return options;
    options.timeout = std::max(ceil<milliseconds>(message.deadline - steady_clock::now()), milliseconds(1));
    return options;
  }
  CallOptions limits() const { return limited(CallOptions()); }
  /// Returns the W3C traceparent of the request; empty if it has none, or a malformed one.
  std::string_view trace() const {
    const std::string_view text = message[Header::traceparent];
    return is_traceparent(text) ? text : std::string_view();
  }
};

} // namespace omnistore::routes
