// SPDX-License-Identifier: Apache-2.0
// From an answer to a sink: its meta, and the bytes that were asked for as they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

#include "answer.hpp"

namespace http {

/// The meta that an answer tells. `etag` holds what the result points to.
omnistore_meta meta_of(const Answer &answer, const omnistore_host &host, std::string &etag);

/// Adds the user meta that an answer tells; `user` holds what the result points to. False: the answer tells none.
bool add_user_of(const Answer &answer, omnistore_meta &meta, std::string &user);

/// One value's way. For one call of get.
class Reader {
public:
  /// Of a value whose etag is `known` (not empty) only the meta is given.
  Reader(const omnistore_host &host, const omnistore_get_request &request, omnistore_sink &sink,
         std::string_view known = {})
      : host_(host), request_(request), sink_(sink), known_(known) {}

  /// A piece of a good answer's body; false: that was enough, or the sink takes no more.
  bool take(const Answer &answer, std::string_view piece);

  /// When the answer has ended: a value without bytes is begun here. Of 200, 206, 304 and 416. Throws
  /// Failure(OMNISTORE_UNAVAILABLE) where the server's part is not what was asked for.
  omnistore_status finish(const Answer &answer);

  bool unchanged() const { return unchanged_; }

private:
  void begin(const Answer &answer);

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
