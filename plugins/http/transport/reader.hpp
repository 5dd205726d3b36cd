// SPDX-License-Identifier: Apache-2.0
// A value's way from a response to a sink: its meta, then the bytes that were requested, as they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

#include "transport/response.hpp"

namespace http {

/// Returns the meta in a response. `etag` holds the bytes that the result points to.
omnistore_meta meta_of(const Response &response, const omnistore_host &host, std::string &etag);

/// Adds the user meta in a response; `user` holds the bytes that the result points to. Returns false if the response
/// has none.
bool add_user_of(const Response &response, omnistore_meta &meta, std::string &user);

/// Hands one value on, for one call of get.
class Reader {
public:
  /// If the value's etag is `known` (not empty), only the meta is handed on.
  Reader(const omnistore_host &host, const omnistore_get_request &request, omnistore_sink &sink,
         std::string_view known = {})
      : host_(host), request_(request), sink_(sink), known_(known) {}

  /// Takes a piece of a good response's body. Returns false if that was enough, or the sink takes no more.
  bool take(const Response &response, std::string_view piece);

  /// Ends the value after the response has ended, and begins a value without bytes. For 200, 206, 304 and 416. Throws
  /// Failure(OMNISTORE_UNAVAILABLE) if the server sent another part than was requested.
  omnistore_status finish(const Response &response);

  bool unchanged() const { return unchanged_; }

private:
  void begin(const Response &response);

  const omnistore_host &host_;
  const omnistore_get_request &request_;
  omnistore_sink &sink_;
  const std::string_view known_;
  std::string user_;
  bool begun_ = false, unchanged_ = false;
  std::uint64_t skip_ = 0, left_ = 0; ///< of the body's bytes
  omnistore_status status_ = OMNISTORE_OK;
};

} // namespace http
