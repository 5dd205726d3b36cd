// SPDX-License-Identifier: Apache-2.0
// The names of the headers, in one place: those that the parser keeps of a request, and those that a page of another
// origin may send and read (CORS).
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace omnistore::http {

struct HeaderName {
  Header header;
  std::string_view name;
  bool is_list = false; ///< its lines may be several and count as one; all others come once
  bool is_sent = true;  ///< scripts may set it; browsers let them set no other
};

constexpr std::array header_names = {
    HeaderName{Header::host, "Host", false, false},
    HeaderName{Header::accept, "Accept", true},
    HeaderName{Header::authorization, "Authorization"},
    HeaderName{Header::content_encoding, "Content-Encoding", true},
    HeaderName{Header::content_range, "Content-Range"},
    HeaderName{Header::cookie, "Cookie", false, false},
    HeaderName{Header::expect, "Expect", true, false},
    HeaderName{Header::if_match, "If-Match", true},
    HeaderName{Header::if_modified_since, "If-Modified-Since"},
    HeaderName{Header::if_none_match, "If-None-Match", true},
    HeaderName{Header::if_range, "If-Range"},
    HeaderName{Header::if_unmodified_since, "If-Unmodified-Since"},
    HeaderName{Header::last_event_id, "Last-Event-ID"},
    HeaderName{Header::origin, "Origin", false, false},
    HeaderName{Header::range, "Range"},
    HeaderName{Header::requested_method, "Access-Control-Request-Method", false, false},
    HeaderName{Header::traceparent, "traceparent"},
    HeaderName{Header::transfer_encoding, "Transfer-Encoding", true, false},
    HeaderName{Header::x_ttl, "X-Ttl"},
    HeaderName{Header::x_user_meta, "X-User-Meta"},
};
static_assert(header_names.size() == static_cast<std::size_t>(Header::count));
static_assert(std::is_sorted(header_names.begin(), header_names.end(),
                             [](const HeaderName &a, const HeaderName &b) { return a.header < b.header; }));

/// The headers of responses that browsers hide from scripts unless they are named. A test checks that each header that
/// a listener sends is among them, unless browsers show it to every script or no script needs it.
constexpr std::string_view exposed_headers =
    "Allow, Content-Range, ETag, Last-Modified, Link, Retry-After, WWW-Authenticate, X-Cursor, X-Skipped, X-Ttl, "
    "X-User-Meta";

/// Returns the value of Access-Control-Allow-Headers.
inline const std::string &allowed_headers() {
  static const std::string names = [] {
    std::string all = "Content-Type"; // a body's; every value of it is accepted
    for (const HeaderName &each : header_names)
      if (each.is_sent) all.append(", ").append(each.name);
    return all;
  }();
  return names;
}

} // namespace omnistore::http
