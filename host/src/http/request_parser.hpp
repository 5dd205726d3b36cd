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
/// Stricter than Beast, so that no proxy in front can see other requests than this host does: the request line has two
/// spaces, each line ends in CR LF, and none is folded.
class RequestParser {
public:
  enum class Progress { more, done, failed };

  explicit RequestParser(std::uint32_t max_header);
  ~RequestParser();

  /// Ready for the next request.
  void reset();

  /// Reads on in the head. `message` holds all that came since the request's first byte; it may have moved since the
  /// last call.
  Progress head(std::string_view message);
  /// Whether a byte of the request was read.
  bool begun() const;
  /// How many bytes of the message the head was; after `done`.
  std::size_t head_size() const;
  /// Fills in what the head said, after `done`. The views are into `message`, or good until reset().
  void fill(const char *message, Request &request) const;
  /// What the body's length will be; nullopt: it is chunked.
  std::optional<std::uint64_t> content_length() const;

  /// Reads on in a chunked body: adds what it holds to `body`, at most `max_body` bytes in all calls. `used` is how
  /// many bytes were read off; the rest must be there again, with more behind it, at the next call.
  Progress chunks(std::string_view bytes, std::size_t &used, Buffer &body, std::uint64_t max_body);

  /// After `failed`: the HTTP status and the reason.
  unsigned status() const;
  const std::string &message() const;

private:
  class Parser;
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace omnistore::http
