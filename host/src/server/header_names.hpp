// SPDX-License-Identifier: Apache-2.0
// The names of the header fields, in one place: what the parser keeps of a request, and what a page of another origin
// may send and read (CORS).
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "server/message.hpp"

namespace omnistore::server {

struct FieldName {
  Field field;
  std::string_view name;
  bool is_list = false; ///< its lines may be several and count as one; all others come once
  bool is_sent = true;  ///< by scripts; browsers let them set no other
};

constexpr std::array field_names = {
    FieldName{Field::host, "Host", false, false},
    FieldName{Field::accept, "Accept", true},
    FieldName{Field::authorization, "Authorization"},
    FieldName{Field::content_encoding, "Content-Encoding", true},
    FieldName{Field::content_range, "Content-Range"},
    FieldName{Field::expect, "Expect", true, false},
    FieldName{Field::if_match, "If-Match", true},
    FieldName{Field::if_modified_since, "If-Modified-Since"},
    FieldName{Field::if_none_match, "If-None-Match", true},
    FieldName{Field::if_range, "If-Range"},
    FieldName{Field::if_unmodified_since, "If-Unmodified-Since"},
    FieldName{Field::last_event_id, "Last-Event-ID"},
    FieldName{Field::origin, "Origin", false, false},
    FieldName{Field::range, "Range"},
    FieldName{Field::requested_method, "Access-Control-Request-Method", false, false},
    FieldName{Field::traceparent, "traceparent"},
    FieldName{Field::transfer_encoding, "Transfer-Encoding", true, false},
    FieldName{Field::x_ttl, "X-Ttl"},
    FieldName{Field::x_user_meta, "X-User-Meta"},
};
static_assert(field_names.size() == static_cast<std::size_t>(Field::count));
static_assert(std::is_sorted(field_names.begin(), field_names.end(),
                             [](const FieldName &a, const FieldName &b) { return a.field < b.field; }));

/// The fields of responses that a script is not shown unless they are named. A test sees that each field that a
/// listener gives is among them, or is one that every script is shown or that means nothing to one.
constexpr std::string_view exposed_fields =
    "Allow, Content-Range, ETag, Last-Modified, Link, Retry-After, WWW-Authenticate, X-Cursor, X-Skipped, X-Ttl, "
    "X-User-Meta";

/// Returns the value of Access-Control-Allow-Headers.
inline const std::string &allowed_fields() {
  static const std::string names = [] {
    std::string all = "Content-Type"; // a body's, which is taken whatever it is
    for (const FieldName &each : field_names)
      if (each.is_sent) all.append(", ").append(each.name);
    return all;
  }();
  return names;
}

} // namespace omnistore::server
