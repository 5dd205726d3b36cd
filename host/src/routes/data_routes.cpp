// SPDX-License-Identifier: Apache-2.0
#include "routes/data_routes.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "base/log_trace.hpp"
#include "base/printable.hpp"
#include "config/formats.hpp"
#include "http/header_values.hpp"
#include "http/peer.hpp"
#include "http/pipes.hpp"
#include "http/reply.hpp"
#include "http/target.hpp"
#include "routes/batch.hpp"
#include "routes/defects.hpp"
#include "routes/listing.hpp"
#include "routes/path_key.hpp"
#include "routes/preconditions.hpp"
#include "routes/value_reader.hpp"

namespace omnistore::routes {

namespace {

constexpr std::string_view data_methods = "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS";
constexpr std::string_view event_stream = "text/event-stream";
constexpr int attempts = 8; // at a write whose condition needs a look at the value first

bool has_conditions(const Request &request) {
  return request.has(Header::if_match) || request.has(Header::if_none_match) ||
         request.has(Header::if_modified_since) || request.has(Header::if_unmodified_since);
}

void not_found(const Request &request, Response &response) {
  reply_error(request, response, 404, "KV value not found");
}

void ok(const Request &request, Response &response, const std::string &etag = {}) {
  begin_head(response, 200);
  // The client learns that this server has stored the user meta with the value.
  if (request.message.method == Method::put && request.has(Header::x_user_meta))
    response.out.append("X-User-Meta: stored\r\n");
  response.out.append("Content-Type: text/plain; charset=utf-8\r\n");
  if (!etag.empty()) {
    response.out.append("ETag: \"");
    response.out.append(etag);
    response.out.append("\"\r\n");
  }
  end_head(request, response, 2);
  response.out.append("OK");
}

/// Returns the ttl in X-Ttl. Throws Error(invalid) if that is no ttl.
std::optional<std::chrono::milliseconds> asked_ttl(const Request &request) {
  if (request[Header::x_ttl].empty()) return std::nullopt;
  constexpr std::int64_t second = 1000;
  std::int64_t ttl = 0;
  const std::string wrong = config::read_ttl(base::trimmed(request[Header::x_ttl]), second, ttl);
  if (!wrong.empty())
    throw Error(Status::invalid, "X-Ttl, a number of seconds or a duration such as 5m: " + base::printable(wrong));
  return std::chrono::milliseconds(ttl);
}

GetOptions read_options(const Request &request, const std::optional<http::ByteRange> &range) {
  auto options = request.limited(GetOptions());
  options.meta = true;
  options.user = request.has(Header::x_user_meta);
  if (!range) return options;
  options.offset = range->first;
  if (range->last != UINT64_MAX) options.length = range->last - range->first + 1;
  return options;
}

/// Returns the number of the event that the client saw last, or nullopt if the request has none.
std::optional<std::uint64_t> last_event(const Request &request) {
  std::string id(request[Header::last_event_id]);
  if (id.empty()) id = http::parameter(request.query, "lastEventId").value_or("");
  if (id.empty()) return std::nullopt;
  if (const auto known = http::number(id, 0, UINT64_MAX)) return known;
  throw Error(Status::invalid, "Last-Event-ID: expected the id of an event, which is a whole number");
}

/// Returns true if a part of a long body is still to come. Nothing waits for it: the connection ends after the
/// response.
bool has_rest(const Request &request) { return request.message.source && !request.message.source->is_drained(); }

/// A body that comes in pieces, for the storage.
class BodySource final : public Source {
public:
  explicit BodySource(http::BodyPipe &pipe) : pipe_(pipe) {}
  std::size_t read(char *into, std::size_t capacity) override { return pipe_.read(into, capacity); }

private:
  http::BodyPipe &pipe_;
};

/// Replaces the response that was begun with an error.
void fail(const Request &request, Response &response, std::size_t mark, const Error &error) {
  log_defect(error.status(), error.what());
  response.out.truncate(mark);
  response.more = nullptr;
  response.feed = nullptr;
  response.loan = nullptr;
  response.close = has_rest(request);
  if (request.message.pipe && request.message.pipe->used()) {
    response.cut = true;
    return;
  }
  const unsigned status = http::http_status(error.status());
  const std::int64_t wait = std::chrono::ceil<std::chrono::seconds>(error.retry_after()).count();
  reply_error(request, response, status, error.what(),
              status == 405               ? "Allow: GET, HEAD, OPTIONS\r\n"
              : wait > 0 || status == 503 ? "Retry-After: " + std::to_string(std::max<std::int64_t>(wait, 1)) + "\r\n"
                                          : "");
}

} // namespace

DataRoutes::DataRoutes(Storage &storage, Guard guard, const HttpConfig &config, AuditLog *audit)
    : storage_(storage), guard_(std::move(guard)), audit_(audit), max_body_(config.max_body),
      max_stream_(config.max_stream), slots_(config.max_watches) {}

class DataRoutes::Handler final : public http::Handler {
public:
  Handler(DataRoutes &routes, http::Request &request) : routes_(routes), request_(request) {}

  bool admit(Response &response) override {
    return !routes_.guard_.needs_check(request_.message) && routes_.admit(request_, response);
  }
  bool check(std::function<void()> done) override { return routes_.guard_.check(request_.message, std::move(done)); }
  http::WorkerPool::Lane lane() override { return routes_.lane(request_); }
  std::uint64_t longest_stream() override { return routes_.longest_stream(request_); }
  void respond(Response &response) noexcept override {
    if (request_.has(Header::traceparent)) {
      const base::LogTrace traced(request_.trace());
      routes_.respond(request_, response);
    } else {
      routes_.respond(request_, response);
    }
    if (request_.audit && !response.retry) audit(response.status);
  }

private:
  /// The items of a batch are reported one by one (batch.cpp).
  void audit(unsigned status) const {
    const Method method = request_.message.method;
    if (!is_write(method) || method == Method::post) return;
    request_.audit->write(request_,
                          method == Method::put     ? "set"
                          : method == Method::patch ? "touch"
                          : request_.is_base        ? "clear"
                                                    : "remove",
                          request_.is_base ? request_.key + ":" : request_.key, status);
  }

  DataRoutes &routes_;
  Request request_;
};

std::unique_ptr<http::Handler> DataRoutes::handler(http::Request &request) {
  return std::make_unique<Handler>(*this, request);
}

bool DataRoutes::admit(Request &request, Response &response) const {
  const auto refused = [&](unsigned status, std::string_view message, std::string_view extra = {}) {
    reply_error(request, response, status, message, extra);
    return false;
  };
  http::Target target;
  if (!admit_target(guard_, request.message, response, target)) return false;
  const bool foreign = !admit_origin(guard_, request.message, target);
  if (request.message.method == Method::options) {
    respond_to_options(guard_, request, response, data_methods, foreign);
    return false;
  }
  if (request.message.method == Method::other) {
    return refused(405, "This method is not allowed here", "Allow: " + std::string(data_methods) + "\r\n");
  }
  if (const char *problem = decode_key(target.path, request.key, request.is_base)) return refused(400, problem);
  request.query = target.query;
  request.events = request.message.method == Method::get && http::accepts(request, event_stream);
  if (request.is_base && request.message.method == Method::head)
    return refused(400, "Invalid key: HEAD is not allowed on a base key");
  if (request.is_base && request.message.method == Method::put)
    return refused(400, "Invalid key: PUT is not allowed on a base key");

  if (request.is_base && request.message.method == Method::patch)
    return refused(400, "Invalid key: PATCH is not allowed on a base key");
  if (!request.is_base && request.message.method == Method::post)
    return refused(405, "POST is for bases, whose names end in '/'",
                   "Allow: GET, HEAD, PUT, PATCH, DELETE, OPTIONS\r\n");

  if (guard_.has_tokens()) {
    request.token = guard_.find(request.message);
    if (request.token) request.message.identity = request.token->name;
  }
  request.caller = {request[Header::traceparent], request.message.identity};
  request.audit = audit_;
  if (audit_ && request.message.peer) request.message.peer->name(); // the store's thread needs it
  const bool write = is_write(request.message.method);
  // Each item of a batch is judged by itself.
  const Guard::Verdict verdict =
      request.message.method == Method::post
          ? guard_.judge(request.message, request.token.get())
          : guard_.judge(request.message, request.token.get(), write, request.key, request.is_base);
  if (verdict != Guard::Verdict::granted) {
    guard_.refuse(request, response, verdict);
    return false;
  }
  if (write && foreign) {
    refuse_origin(guard_, request, response);
    return false;
  }
  if ((request.is_base || request.events) && !admit_conditions(request, response, write)) return false;
  if (request.message.method == Method::put && request.has(Header::content_range)) {
    return refused(400, "A part of a value cannot be put: send the whole, without Content-Range");
  }
  const std::string_view encoding = request[Header::content_encoding];
  if (request.message.method == Method::put && !encoding.empty() && !base::equal_ignoring_case(encoding, "identity")) {
    return refused(415, "A value is kept as it comes: send it without Content-Encoding");
  }
  return true;
}

http::WorkerPool::Lane DataRoutes::lane(Request &request) const {
  request.route = storage_.route(request.key, request.is_base);
  const Route &route = request.route;
  // Stores may be slow to begin a watch, and listings and clears wait for each of the mounts that they span.
  // A batch continues in the lane of its keys' store, if they have one store.
  if (route.several) {
    const bool is_batch = request.message.method == Method::post;
    return {(request.events ? "watches below "
             : is_batch     ? "batches below "
                            : "mounts below ") +
                request.key,
            route.store};
  }
  if (request.events) return {"watches of " + route.mountpoint, route.store};
  if (!request.is_base && route.never_blocks) return {};
  return {"mount " + route.mountpoint, route.store};
}

std::uint64_t DataRoutes::longest_stream(const Request &request) const {
  if (request.message.method != Method::put || !storage_.route(request.key).streams.writes) return 0;
  return max_stream_;
}

void DataRoutes::respond(Request &request, Response &response) noexcept {
  const std::size_t mark = response.out.size();
  try {
    return dispatch(request, response);
  } catch (const ValueReader::LongValue &) {
    response.out.truncate(mark);
    response.retry = true;
  } catch (const Error &error) {
    fail(request, response, mark, error);
  } catch (const std::bad_alloc &) {
    fail(request, response, mark, Error(Status::unavailable, http::OverBudget::message));
  } catch (const std::exception &error) {
    fail(request, response, mark, Error(Status::internal, error.what()));
  }
}

void DataRoutes::dispatch(Request &request, Response &response) {
  switch (request.message.method) {
  case Method::get:
    if (request.events) return watch(request, response);
    return request.is_base ? respond_to_list(storage_, request, response) : get(request, response);
  case Method::head:
    return head(request, response);
  case Method::put:
    return put(request, response);
  case Method::post:
    return respond_to_batch(storage_, guard_, max_body_, request, response);
  case Method::patch:
    return touch(request, response);
  default:
    return remove(request, response);
  }
}

void DataRoutes::get(const Request &request, Response &response) {
  const std::optional<http::ByteRange> range =
      request.has(Header::range) ? http::parse_range(request[Header::range]) : std::nullopt;
  const bool needs_size = range && (range->suffix || request.has(Header::if_range));
  if (has_conditions(request) || needs_size) return get_after_look(request, response, range);
  ValueReader reader(request, response, range);
  storage_.read(request.key, reader, read_options(request, range)) ? reader.finish() : not_found(request, response);
}

void DataRoutes::get_after_look(const Request &request, Response &response,
                                const std::optional<http::ByteRange> &range) {
  const std::size_t mark = response.out.size();
  bool gives_parts = true;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::optional<Meta> seen = storage_.meta(request.key, request.limited(MetaOptions{.user = false}));
    if (!seen) return not_found(request, response);
    if (respond_if_not_met(request, response, *seen)) return;
    const std::optional<http::ByteRange> part =
        range && gives_parts ? settled_range(*range, request, *seen) : std::nullopt;
    // A value that was set since this look is another one: conditions and range were judged for the one that was seen.
    const bool binds = part || request.has(Header::if_match) || request.has(Header::if_unmodified_since);
    ValueReader reader(request, response, part, binds ? &*seen : nullptr);
    try {
      if (!storage_.read(request.key, reader, read_options(request, part))) return not_found(request, response);
      return reader.finish();
    } catch (const ValueReader::Changed &changed) {
      response.out.truncate(mark);
      gives_parts = gives_parts && !changed.is_unknown; // the whole value then, which is right for any range
    }
  }
  throw Error(Status::unavailable, "The value changed each time that it was read; try again");
}

void DataRoutes::head(const Request &request, Response &response) {
  const std::optional<Meta> meta =
      storage_.meta(request.key, request.limited(MetaOptions{.user = request.has(Header::x_user_meta)}));
  if (!meta) return not_found(request, response);
  if (has_conditions(request) && respond_if_not_met(request, response, *meta)) return;
  begin_value_head(request, response, 200, *meta);
  if (meta->size == UINT64_MAX) return end_bare_head(request, response);
  end_head(request, response, meta->size);
}

void DataRoutes::touch(const Request &request, Response &response) {
  const std::optional<std::chrono::milliseconds> ttl = asked_ttl(request);
  if (!ttl) throw Error(Status::invalid, "PATCH gives a value another ttl: say in X-Ttl how many seconds, as 60");
  if (const Preconditions asked(request); asked.any()) return touch_if(asked, *ttl, request, response);
  storage_.touch(request.key, *ttl, request.limits()) ? ok(request, response) : not_found(request, response);
}

/// No driver changes a ttl under a condition, and another value could be set between a look and a touch. So the value
/// that was judged is set once more with the ttl, on the condition of its etag.
void DataRoutes::touch_if(const Preconditions &asked, std::chrono::milliseconds ttl, const Request &request,
                          Response &response) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::optional<Meta> seen = storage_.meta(request.key, request.limited(MetaOptions{.user = true}));
    if (!seen) return not_found(request, response);
    if (asked.judge(seen, false) != Preconditions::Outcome::hold) return condition_failed(request, response);
    if (seen->etag.empty())
      throw Error(Status::unsupported, "This store has no etags, so it gives no ttl under a condition");
    if (seen->size > max_body_)
      throw Error(Status::too_large,
                  "A value of more than " + std::to_string(max_body_) + " bytes is given no ttl under a condition");
    const http::MemoryShare held(response.out.budget(), static_cast<std::size_t>(seen->size));
    auto whole = request.limited(GetOptions());
    whole.meta = true;
    const std::optional<Entry> entry = storage_.entry(request.key, whole);
    if (!entry || entry->meta.etag != seen->etag) continue; // another value by now
    SetOptions options;
    options.ttl = ttl;
    options.condition = {Condition::Kind::if_match, seen->etag};
    options.user = seen->user;
    if (storage_.set(request.key, entry->value, request.limited(options))) return ok(request, response);
  }
  throw Error(Status::unavailable, "The value changed each time that it was read; try again");
}

Stored DataRoutes::set(const Request &request, const SetOptions &options) {
  const http::Request &message = request.message;
  if (!message.source) return storage_.set(request.key, message.body, options, true);
  BodySource source(*message.source);
  return storage_.set(request.key, source, message.source_size, options, true);
}

void DataRoutes::put(const Request &request, Response &response) {
  SetOptions options;
  options.ttl = asked_ttl(request);
  if (request.has(Header::x_user_meta)) {
    std::optional<std::string> user = base::from_base64(request[Header::x_user_meta]);
    if (!user) throw Error(Status::invalid, "X-User-Meta: expected base64");
    options.user = std::move(*user);
  }
  for (int attempt = 0; attempt < attempts; ++attempt) {
    WriteCondition condition = write_condition(storage_, request);
    if (condition.failed) break;
    options.condition = std::move(condition.condition);
    const Stored stored = set(request, request.limited(options));
    if (stored) return ok(request, response, stored.etag);
    if (!condition.pinned || request.message.source) break; // a source cannot be read twice
  }
  response.close = has_rest(request);
  condition_failed(request, response);
}

void DataRoutes::remove(const Request &request, Response &response) {
  if (request.is_base) {
    storage_.clear(request.key, request.limits());
    return ok(request, response);
  }
  RemoveOptions options;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    WriteCondition condition = write_condition(storage_, request);
    if (condition.condition.kind == Condition::Kind::if_absent) {
      // The condition allows only the remove of an absent key.
      condition.failed = storage_.has(request.key, request.limits());
      if (!condition.failed) return ok(request, response);
    }
    if (condition.failed) break;
    options.condition = std::move(condition.condition);
    try {
      const bool removed = storage_.remove(request.key, request.limited(options));
      if (!removed && options.condition.kind != Condition::Kind::always) break;
      return ok(request, response);
    } catch (const Error &error) {
      if (error.status() != Status::conflict) throw;
      if (!condition.pinned) break;
    }
  }
  condition_failed(request, response);
}

void DataRoutes::watch(const Request &request, Response &response) {
  const std::optional<std::uint64_t> after = last_event(request);
  std::shared_ptr<void> place = slots_.take();
  if (!place) {
    return reply_error(request, response, 503,
                       "There are too many streams of events (" + std::to_string(slots_.most()) + ")",
                       "Retry-After: 1\r\n");
  }
  response.feed = std::make_shared<EventFeed>(storage_, EventFeed::Subject{request.key, request.is_base}, after,
                                              request.message.version != 10, std::move(place));
  response.close = true;
  begin_head(response, 200);
  header(response, "Content-Type", event_stream);
  // The second header keeps proxies from gathering events that should go out at once.
  response.out.append("Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
  end_chunked_head(request, response);
}

} // namespace omnistore::routes
