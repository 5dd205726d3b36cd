// SPDX-License-Identifier: Apache-2.0
// The head of a server's response, as far as the driver uses it, and the first bytes of an error's body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

namespace http {

struct Response {
  int status = 0;        ///< HTTP's
  std::string reason;    ///< the words after it
  bool has_head = false; ///< every header of the final response has come
  std::string etag, cursor;
  std::string content_type;
  std::string challenge;                         ///< WWW-Authenticate
  std::string retry_after;                       ///< as it came: seconds, or a date
  std::string skipped;                           ///< X-Skipped, as it came
  bool folders = false;                          ///< X-Folders: the listing has the folders that were requested
  std::optional<std::string> user;               ///< X-User-Meta, as it came: base64, or "stored"
  std::int64_t mtime = 0;                        ///< Last-Modified, Unix milliseconds
  std::int64_t date = 0;                         ///< Date, likewise; 0: the server did not send it
  std::int64_t ttl = -1;                         ///< milliseconds from now; -1: none
  std::uint64_t length = OMNISTORE_UNKNOWN_SIZE; ///< of the body
  std::uint64_t first = 0;                       ///< of a part: its first byte's place in the value
  std::uint64_t whole = OMNISTORE_UNKNOWN_SIZE;  ///< of a part: the value's size
  std::string text;                              ///< the first bytes of an error's body

  bool good() const { return status >= 200 && status < 300; }
  bool gone() const { return status == 404 || status == 410; }
  /// Returns the value's mtime, or 0 if it cannot serve as a validator and there is no etag: when less than a second
  /// lies between it and the response, a second change may have the same mtime (RFC 9110, section 8.8.2.2). `now`
  /// stands for a missing Date (section 6.6.1).
  std::int64_t reliable_mtime(std::int64_t now) const;
  /// Returns the server's pause before a retry in milliseconds; 0 if it named none.
  std::int64_t retry_delay(std::int64_t now) const;
  /// Returns the size of the whole value.
  std::uint64_t value_size() const;
};

/// Reads one line of a head. A status line begins the response anew.
void read_line(Response &response, std::string_view line);

/// Returns the kind of failure that an HTTP status stands for.
omnistore_status status_of(int http, bool write);

/// Returns true if a server that sends this status has done nothing of the request.
bool changed_nothing(int http);

constexpr std::size_t LONGEST_WORDS = 200;       ///< bytes of a server's text in a message
constexpr std::size_t LONGEST_HOST_WORDS = 5000; ///< of an Omnistore host's, which may name a key

/// Returns the response in words: "503 Service Unavailable: try later". If the server refuses a token, the words end
/// with the error of RFC 6750: "401 Unauthorized: this token is not known (invalid_token)".
std::string words_of(const Response &response, std::size_t longest = LONGEST_WORDS);

/// Returns a server's text as a part of one of our messages: one line, not too long, without a full stop.
std::string message_part(std::string text, std::size_t longest = LONGEST_WORDS);

} // namespace http
