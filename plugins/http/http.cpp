// SPDX-License-Identifier: Apache-2.0
// The `http` driver: values on an HTTP server, asked for as unstorage's http driver does it. client.hpp says how
// requests are made, reader.hpp how a value goes out, listing.hpp how keys are listed.
#include <algorithm>
#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <omnistore/driver.hpp>
#include <omnistore/ext/revalidate.h>
#include <omnistore_schema.h>

#include "base64.hpp"
#include "client.hpp"
#include "etag.hpp"
#include "listing.hpp"
#include "reader.hpp"

namespace http {
namespace {

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  // Of the conditions of a write a server may know nothing, and it answers all the same: they are not claimed. A ttl
  // is the server's, or refused: were it left to the host, each read would ask for `key$` as well.
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_STREAM | OMNISTORE_CAN_META;
  t.keeps = OMNISTORE_KEEPS_UNKNOWN;
  t.order = OMNISTORE_ORDER_NONE;
  return t;
}();

Fields fields_in(const omnistore::Options &options) {
  const std::string text(options.has("headers") ? options.raw("headers") : "{}");
  Fields fields;
  omnistore::sdk::JsonReader reader(text);
  for (reader.enter('{'); reader.more('}');) {
    std::string name = reader.name();
    const omnistore::sdk::JsonValue value = reader.value();
    if (value.kind != omnistore::Kind::string)
      throw omnistore::Failure(OMNISTORE_INVALID, "option headers: expected an object of strings");
    fields.emplace_back(std::move(name), omnistore::sdk::JsonReader(value.text).string());
  }
  return fields;
}

Limits limits_in(const omnistore::Options &options) {
  return {milliseconds(options.integer("timeout", 30'000)), milliseconds(options.integer("connectTimeout", 5'000)),
          static_cast<std::size_t>(options.integer("maxConnections", 8))};
}

std::string seconds_until(std::int64_t expiry, const omnistore_host &host) {
  const std::int64_t left = std::max<std::int64_t>(expiry - host.now(&host), 1);
  std::string thousandths = std::to_string(1000 + left % 1000);
  thousandths[0] = '.';
  return std::to_string(left / 1000) + thousandths;
}

bool nothing_of(const Answer &, std::string_view) { return true; }
bool no_more_of(const Answer &, std::string_view) { return false; }

/// With this field a GET or HEAD asks Omnistore's server for the user meta, and a PUT stores it with the value.
constexpr const char *USER_FIELD = "X-User-Meta";
/// What is longer goes in a request of its own, since servers limit their header fields.
constexpr std::size_t LONGEST_FIELD = 4096;

Ask ask_for(const char *method, std::string_view key) {
  Ask ask;
  ask.method = method;
  ask.path = "/" + path_of(key);
  ask.fields = {{"Accept", "application/octet-stream"}, {"Accept-Encoding", "identity"}};
  return ask;
}

class Http {
public:
  Http(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &)
      : host_(host), keeps_ttl_(options.boolean("ttl", false)),
        client_(parse_base(options.string("base")), fields_in(options), limits_in(options)) {}

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { parse_base(options.string("base")); });
    problems.check([&] { check_fields(fields_in(options)); });
  }

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    if (request.length == 0) return stat(call, key, request, sink);
    Reader reader(host_, request, sink);
    return read(call, key, request, {}, reader);
  }

  /// The extension's: as get, where the value's etag is another than `etag`.
  omnistore_status get_changed(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                               std::string_view etag, omnistore_sink &sink, bool &unchanged) {
    Reader reader(host_, request, sink, etag);
    const std::string field = field_of(etag);
    if (field.empty()) {
      // The server does not know this etag, but may tell by a HEAD which one the value has.
      const Answer head = look(call, key);
      if (head.gone()) return OMNISTORE_NOT_FOUND;
      if (etag_of(head.etag) == etag) {
        unchanged = true;
        return reader.finish(head);
      }
    }
    const omnistore_status status = read(call, key, request, field, reader);
    unchanged = reader.unchanged();
    return status;
  }

  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    const bool wants_user = request.flags & OMNISTORE_GET_USER;
    const Answer answer = look(call, key, wants_user);
    if (answer.gone()) return OMNISTORE_NOT_FOUND;
    std::string etag, user;
    omnistore_meta meta = meta_of(answer, host_, etag);
    if (!(request.flags & OMNISTORE_GET_META)) meta.etag = {};
    if (wants_user && !add_user_of(answer, meta, user)) {
      user = read_user(call, key, answer);
      omnistore::add_user(meta, user);
    }
    return omnistore::give(sink, meta);
  }

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    if (request.expiry != 0 && !keeps_ttl_) return no_ttl(call);
    Body body(request);
    if (request.source && request.source_size == 0) { // of an empty body none is read
      char further;
      std::size_t count;
      if (!body.read(&further, 1, count)) return call.fail(body.failure(), body.why());
    }
    Ask ask = ask_for("PUT", key);
    ask.fields = {{"Content-Type", "application/octet-stream"}};
    if (request.expiry != 0) ask.fields.emplace_back("X-Ttl", seconds_until(request.expiry, host_));
    const std::string_view user = omnistore::as_view(request.user);
    if (!user.empty() && user.size() <= LONGEST_FIELD) ask.fields.emplace_back(USER_FIELD, to_base64(user));
    ask.body = &body;
    const Answer answer = client_.run(call, ask, &nothing_of);
    if (answer.gone()) // there is no place for it; NOT_FOUND would be a miss
      throw omnistore::Failure(OMNISTORE_UNSUPPORTED, client_.refused(ask, answer).what());
    if (!answer.good()) throw client_.refused(ask, answer);
    const bool with_value = answer.user && *answer.user == "stored";
    if (!with_value && (!user.empty() || apart_)) omnistore::partly_done([&] { write_user(call, key, user); });
    if (!result) return OMNISTORE_OK;
    const std::string etag = etag_of(answer.etag);
    omnistore_meta meta = omnistore::make_meta(body.size());
    meta.etag = omnistore::as_bytes(etag);
    return omnistore::give(*result, meta);
  }

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &) {
    // unstorage's server answers a DELETE of what is not there as any other. One that gives etags keeps conditions, so
    // that of several who remove a value at once one alone has done it.
    const Answer head = look(call, key);
    if (head.gone()) return OMNISTORE_NOT_FOUND;
    Ask ask = ask_for("DELETE", key);
    if (!head.etag.empty()) ask.fields = {{"If-Match", "*"}};
    const Answer answer = client_.run(call, ask, &nothing_of);
    if (answer.gone() || (!head.etag.empty() && answer.status == 412)) return OMNISTORE_NOT_FOUND;
    if (!answer.good()) throw client_.refused(ask, answer);
    if (apart_) omnistore::partly_done([&] { write_user(call, key, {}); });
    return OMNISTORE_OK;
  }

  /// By PATCH, as Omnistore's host has it.
  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request) {
    if (request.flags & OMNISTORE_TOUCH_USER) {
      if (look(call, key).gone()) return OMNISTORE_NOT_FOUND;
      write_user(call, key, omnistore::as_view(request.user));
      if (!(request.flags & OMNISTORE_TOUCH_EXPIRY)) return OMNISTORE_OK;
    }
    if (!keeps_ttl_) return no_ttl(call);
    if (!(request.flags & OMNISTORE_TOUCH_USER)) return renew(call, key, request.expiry);
    return omnistore::partly_done([&] { return renew(call, key, request.expiry); });
  }

  /// Whether the server answers at all. What it answers for the root of the base says little of the keys below it.
  omnistore_status health(omnistore::Call call) {
    const Ask ask = ask_for("HEAD", "");
    const Answer answer = client_.run(call, ask, &nothing_of);
    const bool refuses = answer.status == 401 || answer.status == 403 || answer.status == 407 || answer.status == 429;
    if (refuses || answer.status >= 500) throw client_.refused(ask, answer);
    return OMNISTORE_OK;
  }

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return http::list(client_, call, request, page);
  }

  const void *extension(const char *id);

private:
  omnistore_status renew(omnistore::Call call, std::string_view key, std::int64_t expiry) {
    Ask ask = ask_for("PATCH", key);
    ask.fields = {{"X-Ttl", expiry == 0 ? "0" : seconds_until(expiry, host_)}};
    const Answer answer = client_.run(call, ask, &nothing_of);
    if (answer.gone()) return OMNISTORE_NOT_FOUND;
    if (!answer.good()) throw client_.refused(ask, answer);
    return OMNISTORE_OK;
  }

  static omnistore_status no_ttl(omnistore::Call call) {
    return call.fail(OMNISTORE_UNSUPPORTED,
                     "the server is not known to keep a ttl; set the option ttl where it does, as "
                     "Omnistore's and unstorage's servers do");
  }
  /// The value under `key$` of a server that does not tell the user meta with the value, as unstorage's. One that is
  /// older than the value belongs to the value before.
  std::string read_user(omnistore::Call call, std::string_view key, const Answer &value) {
    std::string user;
    if (key.ends_with('$')) return user;
    const Ask ask = ask_for("GET", std::string(key) + '$');
    const Answer answer = client_.run(call, ask, [&](const Answer &, std::string_view piece) {
      user.append(
          piece.substr(0, OMNISTORE_MAX_USER_SIZE + 1 - std::min<std::size_t>(user.size(), OMNISTORE_MAX_USER_SIZE)));
      return user.size() <= OMNISTORE_MAX_USER_SIZE;
    });
    if (!answer.good() && !answer.gone()) throw client_.refused(ask, answer);
    const bool older = answer.mtime != 0 && value.mtime != 0 && answer.mtime < value.mtime;
    if (answer.gone() || older || user.size() > OMNISTORE_MAX_USER_SIZE) user.clear();
    return user;
  }

  /// In a request of its own; empty: removes it. From then on a value that is set without takes the old one's away.
  void write_user(omnistore::Call call, std::string_view key, std::string_view user) {
    if (key.ends_with('$')) return;
    apart_ = true;
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = omnistore::as_bytes(user);
    Body body(request);
    Ask ask = ask_for(user.empty() ? "DELETE" : "PUT", std::string(key) + '$');
    if (!user.empty()) {
      ask.fields = {{"Content-Type", "application/octet-stream"}};
      ask.body = &body;
    }
    const Answer answer = client_.run(call, ask, &nothing_of);
    if (!answer.good() && !(user.empty() && answer.gone())) throw client_.refused(ask, answer);
  }

  /// What is known of a value without it, or that it is gone. Any other answer is thrown.
  Answer look(omnistore::Call call, std::string_view key, bool wants_user = false) {
    Ask head = ask_for("HEAD", key);
    if (wants_user) head.fields.emplace_back(USER_FIELD, "?");
    Answer answer = client_.run(call, head, &nothing_of);
    if (answer.good() || answer.gone()) return answer;
    if (answer.status != 405 && answer.status != 501) throw client_.refused(head, answer);
    const Ask get = ask_for("GET", key); // of a server without HEAD; the value is not waited for
    answer = client_.run(call, get, &no_more_of);
    if (!answer.good() && !answer.gone()) throw client_.refused(get, answer);
    return answer;
  }

  omnistore_status read(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        const std::string &none_match, Reader &reader) {
    Ask ask = ask_for("GET", key);
    if (request.flags & OMNISTORE_GET_USER) ask.fields.emplace_back(USER_FIELD, "?");
    if (!none_match.empty()) ask.fields.emplace_back("If-None-Match", none_match);
    if (request.offset != 0 || request.length != UINT64_MAX) ask.fields.emplace_back("Range", range_of(request));
    const auto take = [&](const Answer &so_far, std::string_view piece) { return reader.take(so_far, piece); };
    Answer answer = client_.run(call, ask, take);
    if (answer.status == 416 && request.offset == 0) { // an empty value has no part, but it has its meta
      ask.fields.pop_back();
      answer = client_.run(call, ask, take);
    }
    if (answer.gone()) return OMNISTORE_NOT_FOUND;
    const bool unchanged = answer.status == 304 && !none_match.empty();
    const bool behind = answer.status == 416 && request.offset != 0; // the part begins behind the value's end
    if (!answer.good() && !unchanged && !behind) throw client_.refused(ask, answer);
    return reader.finish(answer);
  }

  static std::string range_of(const omnistore_get_request &request) {
    std::string range = "bytes=" + std::to_string(request.offset) + "-";
    if (request.length <= UINT64_MAX - request.offset) range += std::to_string(request.offset + request.length - 1);
    return range;
  }

  const omnistore_host &host_;
  const bool keeps_ttl_;
  std::atomic<bool> apart_{false}; ///< this store has written user meta by a request of its own
  Client client_;
};

using Table = omnistore::sdk::Table<Http>;

omnistore_status OMNISTORE_CALL get_changed(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_bytes etag,
                                            omnistore_sink *sink, uint32_t *unchanged) noexcept {
  return omnistore::sdk::guarded(call, [&](omnistore::Call c) {
    bool same = false;
    const omnistore_status status =
        Table::of(self).get_changed(c, omnistore::as_view(key), *request, omnistore::as_view(etag), *sink, same);
    *unchanged = same ? 1 : 0;
    return status;
  });
}

constexpr omnistore_revalidate REVALIDATE = {sizeof(omnistore_revalidate), 0, &get_changed};

const void *Http::extension(const char *id) {
  return std::string_view(id) == OMNISTORE_REVALIDATE ? &REVALIDATE : nullptr;
}

} // namespace
} // namespace http

OMNISTORE_PLUGIN(omnistore::driver<http::Http>("http", "1.0.0", "Values on an HTTP server, as unstorage asks for them",
                                               OMNISTORE_OPTIONS_SCHEMA, http::TRAITS))
