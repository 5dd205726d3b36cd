// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/error.hpp>

#include "http/buffer.hpp"
#include "http/message.hpp"
#include "http/pipes.hpp"
#include "http/request_parser.hpp"

namespace omnistore::http {

/// Reads requests off the bytes of a connection, one after the other: the head, and a body that has a length or comes
/// in chunks. It knows of no socket: room() gives the connection the place for the next bytes, and received() reports
/// them.
///
/// A short body stays after its head in the input buffer; a longer one gets a buffer of its own, which grows as the
/// bytes come. A long one goes to the store while it arrives: this class puts pieces into a BodyPipe, and a thread of
/// the worker pool takes them.
class RequestReader {
public:
  RequestReader(MemoryBudget &memory, std::uint64_t max_header);

  enum class Progress {
    more,   ///< it needs more bytes
    done,   ///< the head, or the body, is complete
    failed, ///< see status() and message()
    pipe,   ///< the body is long: begin_pipe() comes next
    store   ///< the store has to take a piece first
  };

  /// Returns true if no byte of the next request is there.
  bool idle() const { return input_.size() == start_; }
  /// Returns true if the request's first line has begun.
  bool begun() const { return parser_.begun(); }
  Progress head();
  /// Fills in what the head says, after `done`. The views stay valid until end_request().
  void fill(Request &request);
  /// Returns the announced length of the body, or nullopt if it comes in chunks.
  std::optional<std::uint64_t> content_length() const { return parser_.content_length(); }
  /// Returns true if all of the body has come with the head.
  bool has_body() const { return length_ && *length_ <= input_.size() - end_; }
  /// Skips the body of a request whose response needed only its head, if has_body().
  void skip_body() { end_ += *length_; }

  /// `most_piped` is how long a piped body may be; 0: it must be whole. Any other body has at most `max_body` bytes.
  void begin_body(std::uint64_t most_piped, std::uint64_t max_body);
  Progress body();
  /// The whole body, after `done`.
  std::string_view body_view() const { return body_view_; }

  /// Continues with a long body. `has_room` is called on the thread that takes the pieces, after `store` was returned.
  void begin_pipe(MemoryBudget &memory, Request &request, std::function<void()> has_room);
  bool is_piped() const { return pipe_ != nullptr; }
  /// Returns true if all of a piped body has come.
  bool is_whole() const { return whole_; }
  /// Puts what has come into the pipe. After `failed` the store gets the failure, keeps what it had, and its response
  /// says why.
  Progress pipe();
  /// Ends the pipe since the client has gone.
  void cut_pipe();

  /// The place for the next bytes: at most `most` of them, after the content of `into`.
  struct Room {
    Buffer &into;
    std::size_t most;
  };
  Room room();
  void received(Buffer &into, std::size_t count);

  void end_request();
  /// Drops all input, since nobody knows where the next request begins.
  void drop() { end_ = input_.size(); }
  /// Makes room for bytes that nobody looks at.
  Room room_to_discard();
  void clear_body() { body_.clear(0); }
  /// Gives all memory back, or all but that of a short request. Only if idle().
  void release();
  void shrink();

  unsigned status() const { return status_; }
  const std::string &message() const { return message_; }

private:
  enum class Kind { none, in_place, apart, chunked };

  Progress fail(unsigned status, std::string message);
  Progress parser_failed() { return fail(parser_.status(), parser_.message()); }
  bool take_into_pipe();

  Buffer input_;
  std::size_t start_ = 0; ///< the beginning of the request in `input_`
  std::size_t end_ = 0;   ///< one past its last byte that is known
  RequestParser parser_;
  unsigned empty_lines_ = 0; ///< before the request
  unsigned status_ = 0;
  std::string message_;

  Kind kind_ = Kind::none;
  Buffer body_;
  std::string_view body_view_;
  std::optional<std::uint64_t> length_; ///< of the body, or of the rest of a piped one
  std::uint64_t most_piped_ = 0, max_body_ = 0;
  std::unique_ptr<BodyPipe> pipe_;
  bool whole_ = false;
};

} // namespace omnistore::http
