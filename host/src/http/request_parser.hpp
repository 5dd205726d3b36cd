// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/buffer.hpp"
#include "http/message.hpp"

namespace omnistore::http {

/// Reads requests, one after the other, off the bytes of a connection: the head, and the chunks of a chunked body.
/// Keeps of the head only what Request holds, as positions in the connection's buffer, and allocates nothing for a
/// request unless a list comes on several lines. Wraps Beast's parser, so that one file alone includes it.
///
/// It is stricter than Beast, so that no proxy can see other requests than this host does: the request line has two
/// spaces, each line ends in CR LF, and none is folded.
class RequestParser {
public:
  enum class Progress { more, done, failed };

  explicit RequestParser(std::uint32_t max_header);
  ~RequestParser();

  /// Makes it ready for the next request.
  void reset();

  /// Continues to read the head. `message` holds all bytes since the request's first one; it may have moved since the
  /// last call.
  Progress head(std::string_view message);
  /// Returns true if a byte of the request was read.
  bool begun() const;
  /// Returns the size of the head, after `done`.
  std::size_t head_size() const;
  /// Fills in the values of the head, after `done`. The views are into `message`, or valid until reset().
  void fill(const char *message, Request &request) const;
  /// Returns the length of the body, or nullopt if it is chunked.
  std::optional<std::uint64_t> content_length() const;

  /// Continues to read a chunked body: appends its content to `body`, at most `max_body` bytes in all calls. `used` is
  /// the number of bytes that were read; the next call must begin with the rest.
  Progress chunks(std::string_view bytes, std::size_t &used, Buffer &body, std::uint64_t max_body);

  /// The HTTP status and the reason, after `failed`.
  unsigned status() const;
  const std::string &message() const;

private:
  class Parser;
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace omnistore::http
