// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <omnistore/storage.hpp>

#include "http/header_values.hpp"
#include "routes/event_feed.hpp"
#include "routes/guard.hpp"
#include "routes/request.hpp"

namespace omnistore::routes {

struct Preconditions;

/// The keys of a storage over HTTP, in the form of unstorage's server, which its http driver expects:
///
///     GET    /a/b    the value: text, or bytes if Accept is application/octet-stream; Range, If-None-Match
///     HEAD   /a/b    its size, time, ttl and etag
///     PUT    /a/b    sets it; X-Ttl: SECONDS, If-Match, If-None-Match
///     PATCH  /a/b    gives it another ttl, and nothing else: X-Ttl: SECONDS, 0 for ever; 404 if it is absent
///     DELETE /a/b    removes it; OK also if it is absent
///     GET    /a/     the keys under a base, as a JSON array; ?limit=&cursor=&depth=
///     DELETE /a/     removes them all
///     POST   /a/     gets, sets and removes many of them, see batch.hpp
///     GET    /a/     with Accept: text/event-stream: sends the changes under a base by server-sent events; GET /a
///                    sends those of a key, and of the keys under it. Last-Event-ID, ?lastEventId=
///     OPTIONS        for browsers, if the config grants them access
class DataRoutes final : public http::Application {
public:
  /// `audit` may be null.
  DataRoutes(Storage &storage, Guard guard, const HttpConfig &config, AuditLog *audit = nullptr);

  std::unique_ptr<http::Handler> handler(http::Request &request) override;

private:
  class Handler;
  bool admit(Request &request, Response &response) const;
  http::WorkerPool::Lane lane(Request &request) const;
  std::uint64_t longest_stream(const Request &request) const;
  void respond(Request &request, Response &response) noexcept;
  void dispatch(Request &request, Response &response);
  void get(const Request &request, Response &response);
  void get_after_look(const Request &request, Response &response, const std::optional<http::ByteRange> &range);
  void head(const Request &request, Response &response);
  Stored set(const Request &request, const SetOptions &options);
  void put(const Request &request, Response &response);
  void touch(const Request &request, Response &response);
  void touch_if(const Preconditions &asked, std::chrono::milliseconds ttl, const Request &request, Response &response);
  void remove(const Request &request, Response &response);
  void watch(const Request &request, Response &response);

  Storage &storage_;
  const Guard guard_;
  AuditLog *const audit_;
  const std::uint64_t max_body_, max_stream_;
  StreamSlots slots_;
};

} // namespace omnistore::routes
