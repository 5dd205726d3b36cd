// SPDX-License-Identifier: Apache-2.0
// A request and its response as a listener hands them to the program that serves it. Nothing here knows of sockets, and
// nothing in this folder knows of keys and stores.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "http/buffer.hpp"
#include "http/worker_pool.hpp"

namespace omnistore::tls {
struct ClientCertificate;
}

namespace omnistore::http {

class ResponsePipe;
class BodyPipe;
class Peer;

/// A longer value goes between socket and store in pieces, if the store allows that.
constexpr std::uint64_t long_value = 1024 * 1024;
constexpr std::size_t stream_piece = 256 * 1024;

enum class Method : std::uint8_t { get, head, put, remove, post, patch, options, other };

inline bool is_write(Method method) {
  return method == Method::put || method == Method::remove || method == Method::post || method == Method::patch;
}

/// The headers that the program reads. The parser drops all others.
enum class Header : std::uint8_t {
  host,
  accept,
  authorization,
  content_encoding,
  content_range,
  cookie,
  expect,
  if_match,
  if_modified_since,
  if_none_match,
  if_range,
  if_unmodified_since,
  last_event_id,
  origin,
  range,
  requested_method, ///< Access-Control-Request-Method
  traceparent,
  transfer_encoding,
  x_ttl,
  x_user_meta,
  count
};

/// One request. The views point into the connection's memory and are valid until the response is complete.
struct Request {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target; ///< as it was sent: "/a%20b?limit=10"
  unsigned version = 11;   ///< 10 or 11
  bool keep_alive = true;  ///< the connection stays open after the response
  std::array<std::string_view, static_cast<std::size_t>(Header::count)> headers;
  std::string_view body;
  BodyPipe *source = nullptr;             ///< a body that comes in pieces, in place of `body`
  std::uint64_t source_size = UINT64_MAX; ///< its size; UINT64_MAX if that is not known

  std::string_view grant_origin; ///< Access-Control-Allow-Origin of the response, set by admit(); empty: none is sent
  bool varies_by_origin = false; ///< the listener grants origins, so each of its responses has "Vary: Origin"

  /// When the response must be complete. Only requests that run on the worker pool have a deadline.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  /// True when the client has gone. Null if the request does not run on the pool.
  const std::atomic<bool> *cancelled = nullptr;
  /// Takes a response that is too long for memory, piece by piece. Null if the response must be whole.
  ResponsePipe *pipe = nullptr;
  /// The pool that runs the request; null if the connection's thread does.
  WorkerPool *pool = nullptr;
  /// The client. For the connection's thread alone; null if it is not known.
  Peer *peer = nullptr;
  /// The name of the token that it came with, for logs; empty if there is none. Set by admit().
  std::string_view identity;
  /// The client's certificate; null if it has presented none.
  const tls::ClientCertificate *certificate = nullptr;

  std::string_view operator[](Header header) const { return headers[static_cast<std::size_t>(header)]; }
  /// Returns true if the header was sent, even empty.
  bool has(Header header) const { return headers[static_cast<std::size_t>(header)].data() != nullptr; }
};

/// A body that lasts for as long as its client stays: it holds events as they come. All but `ready` is called on the
/// connection's thread. Destroying it ends it: `ready` is not called any more.
class Feed {
public:
  virtual ~Feed() = default;

  /// Sets the callback, which is called on any thread when there is something to take and the last take() left nothing,
  /// but not before the first take().
  virtual void start(std::function<void()> ready) = 0;
  /// Appends a bounded number of bytes to `out`. Returns true if there are more. The bytes that wait for take() are
  /// bounded too.
  virtual bool take(Buffer &out) = 0;
  /// Puts something that says no more than that the connection is alive.
  virtual void keep_alive(Buffer &out) = 0;
  /// Puts what ends the body.
  virtual void finish(Buffer &out) = 0;
};

/// A response that is being written.
struct Response {
  explicit Response(Buffer &into) : out(into) {}

  Buffer &out;         ///< the whole response, head and body, is appended here
  unsigned status = 0; ///< for the counters
  bool close = false;  ///< the connection ends after this response
  /// Nothing was done, and the request is to be repeated on a thread of `lane`, or, if that has no name, of the store's
  /// long values.
  bool retry = false;
  WorkerPool::Lane lane{};
  /// The body, or its end, if a store lends it. It goes out after `out`.
  std::string_view lent{};
  std::shared_ptr<const void> loan{};
  bool cut = false; ///< the pipe's content cannot be completed: the connection is cut off
  /// The response, which is whole, is held back for at least this long, and up to a second more.
  std::chrono::milliseconds delay{0};
  /// Appends the next part of a long response to `out`, and returns true if there is more. Called on a thread of the
  /// worker pool each time all has gone out. If it throws, the connection is cut off, so that the client does not take
  /// a part for the whole.
  std::function<bool(Buffer &out)> more;
  /// The rest of a response that does not end by itself. The connection closes after it.
  std::shared_ptr<Feed> feed;
};

/// Serves the requests of one connection, one after the other.
class Handler {
public:
  virtual ~Handler() = default;

  /// Judges a request by its head, before its body is read. Returns false if `response` already holds the response,
  /// such as a refusal. Runs on the connection's thread and must not wait.
  virtual bool admit(Response &response) = 0;

  /// Called if admit() returned false and wrote no response: the request's credentials have to be checked first. `done`
  /// is called on any thread when admit() can judge them. Returns false if they cannot be checked now.
  virtual bool check(std::function<void()> done) {
    done();
    return true;
  }

  /// Returns the lane of the worker pool in which the admitted request waits. Requests of one lane never delay those of
  /// another. A lane without a name means that respond() does not wait and runs on the connection's thread. Called on
  /// any thread.
  virtual WorkerPool::Lane lane() = 0;

  /// Returns how long the admitted request's body may be if it comes in pieces, as Request::source, or 0 if it must be
  /// whole.
  virtual std::uint64_t longest_stream() { return 0; }

  /// Responds to the admitted request. Failures become responses too.
  virtual void respond(Response &response) noexcept = 0;
};

/// Makes the handlers of a listener's connections. Thread-safe.
class Application {
public:
  virtual ~Application() = default;
  /// `request` is the connection's request; it outlives the handler and holds each of the connection's requests in
  /// turn.
  virtual std::unique_ptr<Handler> handler(Request &request) = 0;
};

} // namespace omnistore::http
