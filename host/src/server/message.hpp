// SPDX-License-Identifier: Apache-2.0
// A request as the routes see it, and where their answer goes: nothing here knows of sockets.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <omnistore/storage.hpp>

#include "server/buffer.hpp"
#include "server/pool.hpp"

namespace omnistore::server {

class AnswerPipe;
class BodyPipe;
class Peer;

/// From how many bytes on a value goes between socket and store in pieces, where the store lets it, rather than whole.
constexpr std::uint64_t long_value = 1024 * 1024;
constexpr std::size_t stream_piece = 256 * 1024;

enum class Method : std::uint8_t { get, head, put, remove, post, patch, options, other };

inline bool is_write(Method method) {
  return method == Method::put || method == Method::remove || method == Method::post || method == Method::patch;
}

/// The header fields that anything here looks at; all others are dropped as they are read.
enum class Field : std::uint8_t {
  host,
  accept,
  authorization,
  content_encoding,
  content_range,
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

/// One request. The views point into the connection's memory and are good until it has been answered.
struct Request {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target; ///< as it came: "/a%20b?limit=10"
  unsigned version = 11;   ///< 10 or 11
  bool keep_alive = true;  ///< whether the connection stays open behind the answer
  std::array<std::string_view, static_cast<std::size_t>(Field::count)> fields;
  std::string_view body;
  BodyPipe *source = nullptr;             ///< a body that comes in pieces, in place of `body`
  std::uint64_t source_size = UINT64_MAX; ///< what it will be; UINT64_MAX: not known

  /// What the routes made of the target when they admitted the request.
  std::string key; ///< normalised; a base without the ':' at its end
  bool is_base = false;
  bool events = false;           ///< what is asked for is not what is there, but what changes
  std::string_view query;        ///< behind the '?', as it came
  std::string_view grant_origin; ///< the value of Access-Control-Allow-Origin; empty: none is granted
  bool varies_by_origin = false; ///< the listener grants origins, so that each of its responses says Vary: Origin

  /// When the answer has to be there; only requests that are answered on a thread of the pool have a deadline.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  /// True once nobody waits for the answer any more; null for what is answered at once.
  const std::atomic<bool> *cancelled = nullptr;
  /// Where an answer that is too long for memory goes, piece by piece; null: nowhere, it must be whole.
  AnswerPipe *pipe = nullptr;
  /// On whose behalf the storage is asked.
  Caller caller;
  /// The client, for the connection's thread alone; null: not known.
  Peer *peer = nullptr;

  std::string_view operator[](Field field) const { return fields[static_cast<std::size_t>(field)]; }
  /// Whether the field was sent, even empty.
  bool has(Field field) const { return fields[static_cast<std::size_t>(field)].data() != nullptr; }

  /// The options with what is left of the request's time. Every operation of a request is given them, so that all of
  /// them together end by its deadline.
  template <typename Options>
  Options limited(Options options) const {
    using namespace std::chrono;
    options.cancelled = cancelled;
    if (!caller.trace.empty() || !caller.identity.empty()) options.caller = &caller;
    if (deadline == steady_clock::time_point::max()) return options;
    options.timeout = std::max(ceil<milliseconds>(deadline - steady_clock::now()), milliseconds(1));
    return options;
  }
  CallOptions limits() const { return limited(CallOptions()); }
};

/// The body of a response that goes on for as long as its client stays: events, as they come. All but `ready` is called
/// on the connection's thread. Destroying it ends it: `ready` is not called any more.
class Feed {
public:
  virtual ~Feed() = default;

  /// Sets what is called, on any thread, when there is something to take and the last take() left nothing. Before the
  /// first take() nothing is called.
  virtual void start(std::function<void()> ready) = 0;
  /// Appends what there is to `out`, a bounded number of bytes. Returns true if there is more. What comes while nobody
  /// takes it is bounded too.
  virtual bool take(Buffer &out) = 0;
  /// Puts something that says no more than that the connection is alive.
  virtual void keep_alive(Buffer &out) = 0;
  /// Puts what ends the body.
  virtual void finish(Buffer &out) = 0;
};

/// Where an answer goes.
struct Response {
  explicit Response(Buffer &into) : out(into) {}

  Buffer &out;         ///< the whole answer, head and body, is put behind what it holds
  unsigned status = 0; ///< for the counters
  bool close = false;  ///< the connection cannot be used any more behind this answer
  bool again = false;  ///< the pipe could not be entered: the answer is to be asked for again on a thread that may
  /// The body, or its end, if a store lends it: it goes out behind `out`.
  std::string_view lent{};
  std::shared_ptr<const void> loan{};
  bool cut = false; ///< what went into the pipe cannot be completed: the connection is cut off
  /// The answer, which is whole, is held back for at least so long, and up to a second more.
  std::chrono::milliseconds delay{0};
  /// The rest of an answer that is longer than one would hold in memory: puts the next part behind `out` and says
  /// whether there is still more. Called on a thread of the pool each time what was there has gone out. When it
  /// throws the connection is cut off, so that the client does not take a part for the whole.
  std::function<bool(Buffer &out)> more;
  /// The rest of an answer that does not end by itself. The connection closes behind it.
  std::shared_ptr<Feed> feed;
};

/// What a listener does with requests.
class Routes {
public:
  virtual ~Routes() = default;

  /// Judges a request by its head, before its body is read, and fills in what the head says. False: it was refused or
  /// answered, and `response` holds the answer. On the connection's thread; must not wait.
  virtual bool admit(Request &request, Response &response) = 0;

  /// Which lane of the pool an admitted request waits in; without a name: none, answer() does not wait and is called on
  /// the connection's thread. Requests of one lane never hold up those of another. On any thread.
  virtual Pool::Lane lane(const Request &request) = 0;

  /// How long a body of an admitted request may be where it comes in pieces, as Request::source; 0: it has to be there
  /// whole.
  virtual std::uint64_t longest_stream(const Request &) { return 0; }

  /// Answers an admitted request. Whatever goes wrong becomes an answer too; it does not throw.
  virtual void answer(Request &request, Response &response) noexcept = 0;
};

} // namespace omnistore::server
