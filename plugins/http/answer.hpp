// SPDX-License-Identifier: Apache-2.0
// What a server answered, but for the value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace http {

struct Answer {
  int status = 0;     ///< HTTP's
  std::string reason; ///< the words behind it
  std::string etag, cursor;
  std::string retry_after;                       ///< as it came: seconds, or a date
  std::string skipped;                           ///< X-Skipped, as it came
  std::optional<std::string> user;               ///< X-User-Meta, as it came: base64, or "stored"
  std::int64_t mtime = 0;                        ///< Last-Modified, Unix milliseconds
  std::int64_t date = 0;                         ///< Date, likewise; 0: the server has not said
  std::int64_t ttl = -1;                         ///< milliseconds from now; -1: none
  std::uint64_t length = OMNISTORE_UNKNOWN_SIZE; ///< of the body
  std::uint64_t first = 0;                       ///< of a part: where it begins in the value
  std::uint64_t whole = OMNISTORE_UNKNOWN_SIZE;  ///< of a part: the value's size
  std::string text;                              ///< of an error's body the first bytes

  bool good() const { return status >= 200 && status < 300; }
  bool gone() const { return status == 404 || status == 410; }
  /// The value's mtime; 0 if it cannot serve as a validator and there is no etag that could: when less than a second
  /// lay between it and the response, a second change may bear the same (RFC 9110, section 8.8.2.2). `now` stands for a
  /// Date that is missing (section 6.6.1).
  std::int64_t told_mtime(std::int64_t now) const;
  /// Milliseconds that the server asks to wait before a retry; 0: it said nothing.
  std::int64_t told_retry_after(std::int64_t now) const;
  /// The size of the whole value.
  std::uint64_t value_size() const;
};

/// Takes one line of a head; a status line begins the answer anew.
void read_line(Answer &answer, std::string_view line);

/// What kind of failure a status is.
omnistore_status status_of(int http, bool write);

/// Whether a server that answers a request so has done nothing of it.
bool changed_nothing(int http);

/// The answer's own words: "503 Service Unavailable: try later".
std::string words_of(const Answer &answer);

} // namespace http
