// SPDX-License-Identifier: Apache-2.0
#include "operations/values.hpp"

#include <algorithm>

#include "transport/base64.hpp"
#include "transport/etag.hpp"

namespace http {
namespace {

/// With this header a GET or HEAD of an Omnistore host returns the user meta, and a PUT stores it with the value.
constexpr const char *USER_HEADER = "X-User-Meta";
/// Longer user meta goes in a request of its own, since servers limit their headers.
constexpr std::size_t LONGEST_HEADER = 4096;

bool take_none(const Response &, std::string_view) { return false; }

Request request_for(const char *method, std::string_view key) {
  Request request;
  request.method = method;
  request.path = "/" + path_of(key);
  request.headers = {{"Accept", "application/octet-stream"}, {"Accept-Encoding", "identity"}};
  return request;
}

std::string seconds_until(std::int64_t expiry, const omnistore_host &host) {
  const std::int64_t left = std::max<std::int64_t>(expiry - host.now(&host), 1);
  std::string thousandths = std::to_string(1000 + left % 1000);
  thousandths[0] = '.';
  return std::to_string(left / 1000) + thousandths;
}

std::string range_of(const omnistore_get_request &request) {
  std::string range = "bytes=" + std::to_string(request.offset) + "-";
  if (request.length <= UINT64_MAX - request.offset) range += std::to_string(request.offset + request.length - 1);
  return range;
}

omnistore_status no_ttl(omnistore::Call call) {
  return call.fail(OMNISTORE_UNSUPPORTED, "the server is not known to keep a ttl; set the option ttl if it does, as "
                                          "Omnistore's and unstorage's servers do");
}

/// Adds the header for the condition of a write. Returns false if the server cannot keep it: it does not know the etag.
bool add_condition(Request &request, std::uint32_t condition, std::string_view etag) {
  if (condition == OMNISTORE_IF_ABSENT) request.headers.emplace_back("If-None-Match", "*");
  if (condition == OMNISTORE_IF_PRESENT) request.headers.emplace_back("If-Match", "*");
  if (condition != OMNISTORE_IF_MATCH) return true;
  std::string header = header_of(etag);
  if (header.empty()) return false;
  request.headers.emplace_back("If-Match", std::move(header));
  return true;
}

} // namespace

omnistore_status Values::get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                             omnistore_sink &sink) {
  if (request.length == 0) return stat(call, key, request, sink);
  Reader reader(host_, request, sink);
  return read(call, key, request, {}, reader);
}

omnistore_status Values::get_changed(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                                     std::string_view etag, omnistore_sink &sink, bool &unchanged) {
  Reader reader(host_, request, sink, etag);
  const std::string header = header_of(etag);
  if (header.empty()) {
    // The server does not know this etag, but a HEAD may show that the value still has it.
    const Response head = look(call, key);
    if (head.gone()) return OMNISTORE_NOT_FOUND;
    if (etag_of(head.etag) == etag) {
      unchanged = true;
      return reader.finish(head);
    }
  }
  const omnistore_status status = read(call, key, request, header, reader);
  unchanged = reader.unchanged();
  return status;
}

omnistore_status Values::read(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                              const std::string &none_match, Reader &reader) {
  Request get = request_for("GET", key);
  if (request.flags & OMNISTORE_GET_USER) get.headers.emplace_back(USER_HEADER, "?");
  if (!none_match.empty()) get.headers.emplace_back("If-None-Match", none_match);
  if (request.offset != 0 || request.length != UINT64_MAX) get.headers.emplace_back("Range", range_of(request));
  const auto take = [&](const Response &so_far, std::string_view piece) { return reader.take(so_far, piece); };
  Response response = client_.run(call, get, take);
  if (response.status == 416 && request.offset == 0) { // an empty value has no part, but it has its meta
    get.headers.pop_back();
    response = client_.run(call, get, take);
  }
  if (response.gone()) return OMNISTORE_NOT_FOUND;
  const bool unchanged = response.status == 304 && !none_match.empty();
  const bool begins_after_end = response.status == 416 && request.offset != 0;
  if (!response.good() && !unchanged && !begins_after_end) throw client_.refused(get, response);
  return reader.finish(response);
}

omnistore_status Values::stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                              omnistore_sink &sink) {
  const bool wants_user = request.flags & OMNISTORE_GET_USER;
  const Response response = look(call, key, wants_user);
  if (response.gone()) return OMNISTORE_NOT_FOUND;
  std::string etag, user;
  omnistore_meta meta = meta_of(response, host_, etag);
  if (!(request.flags & OMNISTORE_GET_META)) meta.etag = {};
  if (wants_user && !add_user_of(response, meta, user)) {
    user = read_user(call, key, response);
    omnistore::add_user(meta, user);
  }
  return omnistore::give(sink, meta);
}

/// Returns the head of a value, or that it is gone. Throws for any other response.
Response Values::look(omnistore::Call call, std::string_view key, bool wants_user) {
  Request head = request_for("HEAD", key);
  if (wants_user) head.headers.emplace_back(USER_HEADER, "?");
  Response response = client_.run(call, head, &take_all);
  if (response.good() || response.gone()) return response;
  const bool has_no_head = response.status == 405 || response.status == 501;
  if (!has_no_head && !server_.is_omnistore) throw client_.refused(head, response);
  // The server has no HEAD, or the response to a HEAD has no body that gives a reason. The response to a GET has one;
  // the value itself is not read.
  Request get = request_for("GET", key);
  if (!has_no_head) get.headers.emplace_back("Range", "bytes=0-0");
  const Response second = client_.run(call, get, &take_none);
  if (!has_no_head) throw client_.refused(get, second.status == response.status ? second : response);
  if (!second.good() && !second.gone()) throw client_.refused(get, second);
  return second;
}

omnistore_status Values::set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                             omnistore_sink *result) {
  if (request.expiry != 0 && !server_.keeps_ttl) return no_ttl(call);
  Body body(request);
  if (request.source && request.source_size == 0) { // libcurl reads nothing of an empty body
    char further;
    std::size_t count;
    if (!body.read(&further, 1, count)) return call.fail(body.failure(), body.why());
  }
  Request put = request_for("PUT", key);
  put.headers = {{"Content-Type", "application/octet-stream"}};
  if (request.expiry != 0) put.headers.emplace_back("X-Ttl", seconds_until(request.expiry, host_));
  if (!add_condition(put, request.condition, omnistore::as_view(request.etag))) return OMNISTORE_CONFLICT;
  const std::string_view user = omnistore::as_view(request.user);
  if (!user.empty() && user.size() <= LONGEST_HEADER) put.headers.emplace_back(USER_HEADER, to_base64(user));
  put.body = &body;
  const Response response = client_.run(call, put, &take_all);
  if (response.status == 412 && request.condition != OMNISTORE_ALWAYS) return OMNISTORE_CONFLICT;
  if (response.gone()) // there is no place for it; NOT_FOUND would be a miss
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, client_.refused(put, response).what());
  if (!response.good()) throw client_.refused(put, response);
  const bool with_value = response.user && *response.user == "stored";
  if (!with_value && (!user.empty() || wrote_user_apart_)) omnistore::partly_done([&] { write_user(call, key, user); });
  if (!result) return OMNISTORE_OK;
  const std::string etag = etag_of(response.etag);
  omnistore_meta meta = omnistore::make_meta(body.size());
  meta.etag = omnistore::as_bytes(etag);
  return omnistore::give(*result, meta);
}

omnistore_status Values::remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
  Request remove = request_for("DELETE", key);
  if (request.condition == OMNISTORE_IF_MATCH) {
    if (!add_condition(remove, request.condition, omnistore::as_view(request.etag))) return OMNISTORE_CONFLICT;
    const Response response = client_.run(call, remove, &take_all);
    if (response.status == 412 || response.gone()) return OMNISTORE_CONFLICT;
    if (!response.good()) throw client_.refused(remove, response);
    return OMNISTORE_OK;
  }
  // A server responds to a DELETE of an absent key as to any other. If it gives etags it keeps conditions too: then
  // only one of several clients that remove a value at once has removed it.
  const Response head = look(call, key);
  if (head.gone()) return OMNISTORE_NOT_FOUND;
  if (!head.etag.empty()) remove.headers = {{"If-Match", "*"}};
  const Response response = client_.run(call, remove, &take_all);
  if (response.gone() || (!head.etag.empty() && response.status == 412)) return OMNISTORE_NOT_FOUND;
  if (!response.good()) throw client_.refused(remove, response);
  if (wrote_user_apart_) omnistore::partly_done([&] { write_user(call, key, {}); });
  return OMNISTORE_OK;
}

omnistore_status Values::touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request) {
  if (request.flags & OMNISTORE_TOUCH_USER) {
    if (look(call, key).gone()) return OMNISTORE_NOT_FOUND;
    write_user(call, key, omnistore::as_view(request.user));
    if (!(request.flags & OMNISTORE_TOUCH_EXPIRY)) return OMNISTORE_OK;
  }
  if (!server_.keeps_ttl) return no_ttl(call);
  if (!(request.flags & OMNISTORE_TOUCH_USER)) return renew(call, key, request.expiry);
  return omnistore::partly_done([&] { return renew(call, key, request.expiry); });
}

/// Gives the value another expiry by PATCH, which Omnistore hosts know.
omnistore_status Values::renew(omnistore::Call call, std::string_view key, std::int64_t expiry) {
  Request patch = request_for("PATCH", key);
  patch.headers = {{"X-Ttl", expiry == 0 ? "0" : seconds_until(expiry, host_)}};
  const Response response = client_.run(call, patch, &take_all);
  if (response.gone()) return OMNISTORE_NOT_FOUND;
  if (!response.good()) throw client_.refused(patch, response);
  return OMNISTORE_OK;
}

omnistore_status Values::health(omnistore::Call call) {
  const Request head = request_for("HEAD", "");
  const Response response = client_.run(call, head, &take_all);
  const bool refuses =
      response.status == 401 || response.status == 403 || response.status == 407 || response.status == 429;
  if (refuses || response.status >= 500) throw client_.refused(head, response);
  return OMNISTORE_OK;
}

/// Reads the value under `key$`, the place of user meta in a server such as unstorage's. Meta that is older than the
/// value belongs to the value before.
std::string Values::read_user(omnistore::Call call, std::string_view key, const Response &value) {
  std::string user;
  if (key.ends_with('$')) return user;
  const Request get = request_for("GET", std::string(key) + '$');
  const Response response = client_.run(call, get, [&](const Response &, std::string_view piece) {
    user.append(
        piece.substr(0, OMNISTORE_MAX_USER_SIZE + 1 - std::min<std::size_t>(user.size(), OMNISTORE_MAX_USER_SIZE)));
    return user.size() <= OMNISTORE_MAX_USER_SIZE;
  });
  if (!response.good() && !response.gone()) throw client_.refused(get, response);
  const bool older = response.mtime != 0 && value.mtime != 0 && response.mtime < value.mtime;
  if (response.gone() || older || user.size() > OMNISTORE_MAX_USER_SIZE) user.clear();
  return user;
}

/// Writes the user meta in a request of its own, or removes it if it is empty. An Omnistore host ends it with its
/// value; with another server a later set or remove of the key removes it.
void Values::write_user(omnistore::Call call, std::string_view key, std::string_view user) {
  if (key.ends_with('$')) return;
  if (!server_.is_omnistore) wrote_user_apart_ = true;
  Body body(user);
  Request request = request_for(user.empty() ? "DELETE" : "PUT", std::string(key) + '$');
  if (!user.empty()) {
    request.headers = {{"Content-Type", "application/octet-stream"}};
    request.body = &body;
  }
  const Response response = client_.run(call, request, &take_all);
  if (!response.good() && !(user.empty() && response.gone())) throw client_.refused(request, response);
}

} // namespace http
