// SPDX-License-Identifier: Apache-2.0
// Requests over a bounded number of kept connections. A request runs on the thread that calls, with a handle of
// libcurl's that it takes from the idle ones; each handle keeps one connection open. A stream, whose response has no
// end, has a handle of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/failure.hpp>

#include "transport/base.hpp"
#include "transport/body.hpp"
#include "transport/response.hpp"

namespace http {

using std::chrono::milliseconds;

/// Names and values.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The options for connections.
struct Limits {
  milliseconds timeout;      ///< of a whole request
  milliseconds idle_timeout; ///< without a byte that moves
  milliseconds connect_timeout;
  std::size_t connections;
  std::string ca;                         ///< a file with the certificates to trust; empty: the system's
  bool is_omnistore = false;              ///< the server is an Omnistore host
  std::string certificate = {}, key = {}; ///< files (PEM) of the client's own certificate; empty: it has none
  bool redirects = true; ///< follow redirects; else they are responses like any other, and their text is kept
};

struct Request {
  const char *method = "GET";
  std::string path;     ///< below the base, from its '/' on
  Headers headers = {}; ///< besides those of the options, which stand before these
  Body *body = nullptr; ///< of a PUT or POST
  bool once = false;    ///< it must not be sent again, even if a kept connection turns out to be closed
};

/// Takes a piece of the body of a good response. Returns false if it wants no more, which ends the transfer.
using Take = std::function<bool(const Response &, std::string_view piece)>;

/// Takes every piece of a body.
inline bool take_all(const Response &, std::string_view) { return true; }

struct Handle;
class Exchange;
class Stream;

/// Throws Failure(OMNISTORE_INVALID) if a header of the options cannot be sent.
void check_headers(const Headers &headers);

/// Throws Failure(OMNISTORE_INVALID) if a file of TLS cannot be used. The options are `ca`, `certificate` and `key`.
void check_tls_files(const Limits &limits);

/// Any thread.
class Client {
public:
  /// Throws as check_headers and check_tls_files do.
  Client(Base base, Headers headers, Limits limits);
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;
  ~Client();

  /// Sends a request and returns the response, whatever its status, after its body was taken. Throws
  /// Failure if no whole response comes: OMNISTORE_TIMEOUT, OMNISTORE_UNAVAILABLE, or the failure of the body.
  Response run(omnistore::Call call, const Request &request, const Take &take);

  /// Returns the failure that a response stands for. It holds none of the options' secrets.
  omnistore::Failure refused(const Request &request, const Response &response) const;
  /// The same for one item of a batch, whose status and message stand in the response's body.
  omnistore::Failure refused(const Request &request, int status, const std::string &message) const;

  const Base &base() const { return base_; }
  const Limits &limits() const { return limits_; }

private:
  friend class Exchange;
  class Lease;
  using Clock = std::chrono::steady_clock;

  std::unique_ptr<Handle> lease(omnistore::Call call, Clock::time_point end);
  void give_back(std::unique_ptr<Handle> handle);
  /// Sends a request to one server, once.
  Response once(omnistore::Call call, Handle &handle, const std::string &url, const Request &request, const Take &take,
                Clock::time_point end);
  std::string without_secrets(std::string text) const;
  std::size_t longest_words() const;
  omnistore_status kind_of(int status, bool write) const;

  const Base base_;
  const std::string server_; ///< scheme, host and port of the base
  const Headers headers_;
  const Limits limits_;
  std::vector<std::string> secrets_;

  std::mutex lock_; // guards the two below
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Handle>> idle_;
  std::size_t leased_ = 0;
};

/// A request whose response lasts until the server or the client ends it, on a connection of its own. Redirects are not
/// followed. One thread at a time uses it; wake() may be called on any.
class Stream {
public:
  Stream(const Client &client, std::string_view trace, Request request, Take take);
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;
  ~Stream();

  /// Moves the bytes that are there, and waits at most `wait` for more. Returns false if the response has ended. Throws
  /// Failure if it breaks off.
  bool step(milliseconds wait);
  void wake();
  const Response &response() const;

private:
  const Request request_;
  const Take take_;
  const std::unique_ptr<Handle> handle_;
  const std::unique_ptr<Exchange> exchange_;
};

} // namespace http
