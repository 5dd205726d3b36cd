// SPDX-License-Identifier: Apache-2.0
// Requests over a bounded number of kept connections. A request runs on the thread that asks for it, with a handle of
// libcurl's that it takes from the idle ones; each handle keeps one connection open.
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

#include "answer.hpp"
#include "base.hpp"
#include "body.hpp"

namespace http {

using std::chrono::milliseconds;

/// Header fields: names and values.
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Limits {
  milliseconds timeout;
  milliseconds connect_timeout;
  std::size_t connections;
};

struct Ask {
  const char *method = "GET";
  std::string path;     ///< below the base, with its '/' in front
  Fields fields = {};   ///< beside those of the options, which go before these
  Body *body = nullptr; ///< of a PUT
};

/// Takes a piece of a good answer's body. False: no more is wanted, and the transfer ends.
using Take = std::function<bool(const Answer &, std::string_view piece)>;

struct Handle;

/// Throws Failure(OMNISTORE_INVALID) if a field of the options cannot be sent.
void check_fields(const Fields &fields);

/// Any thread.
class Client {
public:
  /// Throws as check_fields does.
  Client(Base base, Fields fields, Limits limits);
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;
  ~Client();

  /// Asks and gives the answer, whatever its status, when its body was taken. Redirects are followed. Throws Failure
  /// where there is no whole answer: OMNISTORE_TIMEOUT, OMNISTORE_UNAVAILABLE, or what the body failed with.
  Answer run(omnistore::Call call, const Ask &ask, const Take &take);

  /// The failure that an answer means. Nothing of the options' secrets is in it.
  omnistore::Failure refused(const Ask &ask, const Answer &answer) const;

  const Base &base() const { return base_; }

private:
  class Lease;
  using Clock = std::chrono::steady_clock;

  std::unique_ptr<Handle> lease(omnistore::Call call, Clock::time_point end);
  void give_back(std::unique_ptr<Handle> handle);
  /// Asks one server once.
  Answer once(omnistore::Call call, Handle &handle, const std::string &url, const Ask &ask, const Take &take,
              Clock::time_point end);
  std::string without_secrets(std::string text) const;

  const Base base_;
  const std::string server_; ///< scheme, host and port of the base
  const Fields fields_;
  const Limits limits_;
  std::vector<std::string> secrets_;

  std::mutex lock_; // guards the two below
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Handle>> idle_;
  std::size_t leased_ = 0;
};

} // namespace http
