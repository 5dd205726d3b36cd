// SPDX-License-Identifier: Apache-2.0
#include "http/request_reader.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace omnistore::http {

namespace {

constexpr unsigned most_empty_lines = 16;      // before a request
constexpr std::size_t first_read = 8 * 1024;   // the first size of the input buffer
constexpr std::size_t chunk_room = 32 * 1024;  // after the head of a chunked request
constexpr std::size_t first_body = 16 * 1024;  // the first size of a long body's buffer
constexpr std::size_t body_read = 1024 * 1024; // how much of a body is read at once
constexpr std::size_t kept_memory = 64 * 1024; // of a buffer between two requests
constexpr const char *long_chunk_head = "A chunk's head is too long";

} // namespace

RequestReader::RequestReader(MemoryBudget &memory, std::uint64_t max_header)
    : input_(&memory), parser_(static_cast<std::uint32_t>(std::min<std::uint64_t>(max_header, UINT32_MAX / 2))),
      body_(&memory) {}

RequestReader::Progress RequestReader::fail(unsigned status, std::string message) {
  status_ = status;
  message_ = std::move(message);
  return Progress::failed;
}

RequestReader::Progress RequestReader::head() {
  std::string_view message = input_.view().substr(start_);
  while (!parser_.begun() && message.starts_with("\r\n")) { // RFC 9112 section 2.2: some clients send them
    if (++empty_lines_ > most_empty_lines) return fail(400, "There are too many empty lines before a request");
    message.remove_prefix(2);
    start_ += 2;
  }
  if (message.empty() || message == "\r") return Progress::more;
  switch (parser_.head(message)) {
  case RequestParser::Progress::more:
    return Progress::more;
  case RequestParser::Progress::failed:
    return parser_failed();
  case RequestParser::Progress::done:
    break;
  }
  return Progress::done;
}

void RequestReader::fill(Request &request) {
  length_ = parser_.content_length();
  end_ = start_ + parser_.head_size();
  if (!length_) input_.room(chunk_room); // before views into the buffer are taken
  parser_.fill(input_.data() + start_, request);
}

void RequestReader::begin_body(std::uint64_t most_piped, std::uint64_t max_body) {
  most_piped_ = most_piped;
  max_body_ = max_body;
  if (!length_) {
    kind_ = Kind::chunked;
  } else if (end_ + *length_ <= input_.capacity()) {
    kind_ = Kind::in_place;
  } else {
    // An announced length gets memory up to a bound only: it costs the client nothing to announce more.
    kind_ = Kind::apart;
    body_.room(std::min<std::uint64_t>(*length_, first_body));
    body_.append(input_.view().substr(end_));
    input_.truncate(end_);
  }
}

RequestReader::Progress RequestReader::body() {
  if (kind_ == Kind::in_place) {
    if (input_.size() - end_ < *length_) return Progress::more;
    body_view_ = input_.view().substr(end_, *length_);
    end_ += *length_;
    return Progress::done;
  }
  if (kind_ == Kind::apart) {
    if (most_piped_ != 0) return Progress::pipe;
    if (body_.size() < *length_) return Progress::more;
  } else {
    std::size_t used = 0;
    const auto progress = parser_.chunks(input_.view().substr(end_), used, body_, std::max(most_piped_, max_body_));
    input_.erase(end_, used);
    if (progress == RequestParser::Progress::failed) return parser_failed();
    if (progress == RequestParser::Progress::more) {
      if (most_piped_ != 0 && body_.size() > long_value) return Progress::pipe;
      return input_.size() == input_.capacity() ? fail(400, long_chunk_head) : Progress::more;
    }
  }
  body_view_ = body_.view();
  return Progress::done;
}

void RequestReader::begin_pipe(MemoryBudget &memory, Request &request, std::function<void()> has_room) {
  pipe_ = std::make_unique<BodyPipe>(memory, std::move(has_room));
  request.source = pipe_.get();
  request.source_size = length_.value_or(UINT64_MAX);
  if (length_) *length_ -= body_.size();
  whole_ = false;
}

RequestReader::Progress RequestReader::pipe() {
  if (!whole_ && !take_into_pipe()) return Progress::failed;
  const bool given = body_.empty() || pipe_->try_give(body_);
  if (whole_ && given) pipe_->finish();
  return whole_ || body_.size() >= stream_piece ? Progress::store : Progress::more;
}

/// Looks at what has been read of a piped body. Returns false if it is malformed or too long.
bool RequestReader::take_into_pipe() {
  if (kind_ != Kind::chunked) {
    whole_ = *length_ == 0;
    return true;
  }
  if (body_.size() >= stream_piece) return true;
  std::size_t used = 0;
  const auto progress = parser_.chunks(input_.view().substr(end_), used, body_, most_piped_);
  input_.erase(end_, used);
  whole_ = progress == RequestParser::Progress::done;
  const bool is_stuck = progress == RequestParser::Progress::more && input_.size() == input_.capacity();
  if (progress != RequestParser::Progress::failed && !is_stuck) return true;
  const Status status = !is_stuck && parser_.status() == 413 ? Status::too_large : Status::invalid;
  pipe_->fail(std::make_exception_ptr(Error(status, is_stuck ? long_chunk_head : parser_.message())));
  return false;
}

void RequestReader::cut_pipe() {
  if (pipe_) pipe_->fail(std::make_exception_ptr(Error(Status::unavailable, "the client went away")));
}

RequestReader::Room RequestReader::room() {
  if (pipe_ && kind_ != Kind::chunked) return {body_, std::min<std::uint64_t>(*length_, stream_piece)};
  if (kind_ == Kind::apart) // as much more at a time as has come: announced bytes take no memory
    return {body_, std::min<std::uint64_t>(*length_ - body_.size(), std::clamp(body_.size(), first_body, body_read))};
  if (kind_ == Kind::none) {
    input_.erase(0, start_);
    start_ = 0;
    input_.room(input_.capacity() == 0 ? first_read : 1);
  }
  return {input_, input_.capacity() - input_.size()}; // after a head it must not move: the headers lie in it
}

void RequestReader::received(Buffer &into, std::size_t count) {
  into.grew(count);
  if (pipe_ && length_) *length_ -= count;
}

void RequestReader::end_request() {
  pipe_.reset();
  start_ = end_;
  kind_ = Kind::none;
  body_.clear(kept_memory);
  parser_.reset();
  empty_lines_ = 0;
}

RequestReader::Room RequestReader::room_to_discard() {
  input_.truncate(0);
  start_ = end_ = 0;
  return {input_, first_read};
}

void RequestReader::release() {
  input_.clear(0);
  body_.clear(0);
  start_ = 0;
}

void RequestReader::shrink() {
  input_.clear(kept_memory);
  start_ = 0;
}

} // namespace omnistore::http
