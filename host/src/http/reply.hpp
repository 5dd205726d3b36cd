// SPDX-License-Identifier: Apache-2.0
// Writes responses: status line, headers, errors, dates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/error.hpp>

#include "http/message.hpp"

namespace omnistore::http {

/// Returns true if the client's Accept names this type.
bool accepts(const Request &request, std::string_view type);

/// Starts a response: status line and Date.
void begin_head(Response &response, unsigned status);
/// Adds "Name: value".
void header(Response &response, std::string_view name, std::string_view value);
void header(Response &response, std::string_view name, std::uint64_t value);
/// Ends the head of a response whose body has `length` bytes.
void end_head(const Request &request, Response &response, std::uint64_t length);
/// Ends the head of a response whose length is known only after its body has been written. put_length() then takes what
/// this returns.
std::size_t end_head_with_room(const Request &request, Response &response);
void put_length(Buffer &out, std::size_t at, std::uint64_t length);
/// Ends the head of a response that has no body and no length (204, 304).
void end_bare_head(const Request &request, Response &response);
/// Ends the head of a response whose body comes in parts: each goes through open_chunk() and close_chunk(), the last
/// one through last_chunk(). A client of HTTP/1.0 gets it without frames, up to the end of the connection.
void end_chunked_head(const Request &request, Response &response);

/// Makes room for a chunk's head, and returns its place. The chunk's bytes are appended after it.
std::size_t open_chunk(Buffer &out);
/// Frames the bytes that were appended since open_chunk(). An empty chunk is removed, since it would end the body.
void close_chunk(Buffer &out, std::size_t at);
/// `trailer` is whole lines of headers.
void last_chunk(Buffer &out, std::string_view trailer = {});

/// Writes a whole response. That to a HEAD has the length but not the body.
void reply(const Request &request, Response &response, unsigned status, std::string_view type, std::string_view body);
/// Writes a whole response with a failure: {"status", "statusText", "message"}. `extra` holds further header lines,
/// each with its line end.
void reply_error(const Request &request, Response &response, unsigned status, std::string_view message,
                 std::string_view extra = {});

/// "Not Found".
std::string_view reason(unsigned status);
/// The HTTP status that a kind of failure has.
unsigned http_status(Status status);

/// Adds text as a JSON string, in quotes.
void append_json(Buffer &out, std::string_view text);
/// Adds a key as listings show it: a JSON string with '/' in place of ':'.
void append_json_key(Buffer &out, std::string_view key);
void append_number(Buffer &out, std::uint64_t number);

/// "Sun, 06 Nov 1994 08:49:37 GMT", 29 characters.
void append_date(Buffer &out, std::int64_t unix_seconds);

} // namespace omnistore::http
