// SPDX-License-Identifier: Apache-2.0
// The page of the admin listener: its files, its sessions, and the figures that only it shows.
#include <optional>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <unistd.h>

#include "base/ascii.hpp"
#include "http/header_values.hpp"
#include "http/reply.hpp"
#include "http/target.hpp"
#include "report/describe_config.hpp"
#include "routes/admin_routes.hpp"
#include "routes/json_reply.hpp"
#include "routes/page_files.hpp"
#include "storage/key.hpp"

namespace omnistore::routes {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_login = 8 * 1024; // bytes of JSON

/// The page runs no script and shows no style but its own, and no other page may embed it.
constexpr std::string_view page_headers =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n";

/// With TLS the browser never sends the cookie without it. The TLS may end at a proxy, which only the browser knows.
std::string cookie_flags(bool secure, const Request &request) {
  constexpr std::string_view https = "https://";
  secure = secure || base::equal_ignoring_case(request[Header::origin].substr(0, https.size()), https);
  return secure ? "; HttpOnly; SameSite=Strict; Secure" : "; HttpOnly; SameSite=Strict";
}

} // namespace

bool AdminRoutes::wants_page(const Request &request, std::string_view path) {
  return path == "/" && (request.message.method == Method::get || request.message.method == Method::head) &&
         http::accepts(request, "text/html");
}

void AdminRoutes::page(const Request &request, Response &response) {
  const PageFile *file = page_file(request.page);
  if (!file) return reply_error(request, response, 404, "The page has no such file");
  const bool is_known = request[Header::if_none_match] == file->etag;
  begin_head(response, is_known ? 304 : 200);
  response.out.append(page_headers);
  header(response, "ETag", file->etag);
  // "/" is the page for a browser and JSON for programs.
  response.out.append("Cache-Control: no-cache\r\nVary: Accept\r\n");
  if (is_known) return end_bare_head(request, response);
  header(response, "Content-Type", file->type);
  end_head(request, response, file->content.size());
  if (request.message.method != Method::head) response.out.append(file->content);
}

bool AdminRoutes::lets_use_cookie(const Request &request, std::string_view authority) const {
  const std::string_view origin = request[Header::origin];
  if (origin.empty()) return true;
  return guard_.grant(origin) != "*" || guard_.grants_by_name(origin) || Guard::same_origin(origin, authority);
}

void AdminRoutes::use_session(Request &request, std::string_view authority) const {
  request.logged_in = false;
  if (request.has(Header::authorization) || !lets_use_cookie(request, authority)) return;
  const std::string id(cookie_value(request[Header::cookie], page_.cookie));
  if (id.empty()) return;
  std::optional<std::string> authorization = page_.sessions.find(id);
  if (!authorization) return;
  request.logged_in = true;
  request.session = std::move(*authorization);
  if (request.session.empty()) return;
  request.message.headers[static_cast<std::size_t>(Header::authorization)] = request.session;
}

bool AdminRoutes::admit_keys(Request &request, Response &response) const {
  use_session(request, request[Header::host]);
  if (!request.logged_in) {
    const Guard::Verdict user = guard_.judge_user(request);
    if (user != Guard::Verdict::granted) {
      guard_.refuse(request, response, user);
      return false;
    }
  }
  if (is_write(request.message.method) && lacks_origin(request)) {
    refuse_origin(guard_, request, response);
    return false;
  }
  return true;
}

bool AdminRoutes::lacks_origin(const Request &request) { return request.logged_in && request[Header::origin].empty(); }

json::object AdminRoutes::session_state(const Request &request) const {
  const auto may = [&](Access access) { return judge(request, access) == Guard::Verdict::granted; };
  json::object state{{"name", "omnistore"},
                     {"version", OMNISTORE_VERSION},
                     {"logged_in", request.logged_in},
                     {"tokens", guard_.has_tokens()},
                     {"uid", ::geteuid()},
                     {"admin", may(Access::change)  ? "change"
                               : may(Access::whole) ? "whole"
                               : may(Access::part)  ? "part"
                                                    : "none"},
                     {"keys", nullptr}};
  if (!guard_.has_tokens()) {
    if (may(Access::part)) state["keys"] = {{"write", true}, {"bases", json::array()}};
  } else if (const auto scope = page_.keys_guard.scope(request.message)) {
    state["keys"] = {{"write", scope->write}, {"bases", json::array(scope->bases.begin(), scope->bases.end())}};
  }
  return state;
}

void AdminRoutes::session(const Request &request, Response &response) {
  const std::string_view token = request[Header::authorization];
  if (!request.logged_in && !token.empty() && !knows(token))
    return guard_.refuse(request, response, Guard::Verdict::wrong_token);
  reply_json(request, response, 200, session_state(request));
}

bool AdminRoutes::knows(std::string_view authorization) const {
  return guard_.judge(authorization) == Guard::Verdict::granted ||
         page_.keys_guard.judge(authorization) == Guard::Verdict::granted;
}

void AdminRoutes::log_in(const Request &request, Response &response) {
  const std::string_view body = request.message.body;
  if (body.size() > longest_login) throw Error(Status::too_large, "a login has at most 8192 bytes");
  boost::system::error_code broken;
  const json::value parsed = json::parse(body, broken);
  const json::object *login = broken ? nullptr : parsed.if_object();
  const auto member = [&](const char *name) -> std::optional<std::string> {
    const json::value *value = login ? login->if_contains(name) : nullptr;
    const json::string *text = value ? value->if_string() : nullptr;
    return text ? std::optional(std::string(text->data(), text->size())) : std::nullopt;
  };
  std::string authorization;
  if (const auto code = member("code")) {
    if (!page_.sessions.redeem(*code)) {
      if (guard_.slow_down(request, response))
        return reply_error(request, response, 429, "There were too many wrong codes", "Retry-After: 60\r\n");
      return reply_error(request, response, 401, "This link was used already, or is older than ten minutes");
    }
    authorization = page_.authorization;
  } else if (const auto token = member("token")) {
    if (!guard_.has_tokens()) throw Error(Status::invalid, "this listener has no tokens");
    authorization = "Bearer " + *token;
    guard_.check_now(authorization);
    page_.keys_guard.check_now(authorization);
    if (!knows(authorization)) return guard_.refuse(request, response, Guard::Verdict::wrong_token);
  } else {
    throw Error(Status::invalid, "a login is {\"code\": \"...\"} or {\"token\": \"...\"}");
  }
  // The cookie has no Path, so the browser sends it to every URL in the folder of this one. That holds below a path of
  // a proxy too.
  reply_json(request, response, 200, json::object{{"logged_in", true}},
             "Set-Cookie: " + page_.cookie + "=" + page_.sessions.open(std::move(authorization)) +
                 cookie_flags(page_.secure, request) + "\r\n");
}

void AdminRoutes::log_out(const Request &request, Response &response) {
  page_.sessions.close(std::string(cookie_value(request[Header::cookie], page_.cookie)));
  reply_json(request, response, 200, json::object{{"logged_in", false}},
             "Set-Cookie: " + page_.cookie + "=; Max-Age=0" + cookie_flags(page_.secure, request) + "\r\n");
}

void AdminRoutes::link(const Request &request, Response &response) {
  reply_json(request, response, 200, json::object{{"path", "/#code=" + page_.sessions.make_code()}});
}

void AdminRoutes::history(const Request &request, Response &response) {
  const std::optional<std::string> mount = http::parameter(request.query, "mount");
  reply_json(request, response, 200, page_.history.describe([&](const std::string &point) {
    return (!mount || *mount == point) && shows(request, point);
  }));
}

void AdminRoutes::slow(const Request &request, Response &response) {
  json::array operations;
  for (const SlowOperation &each : storage_.slow()) {
    if (guard_.judge(request.message, false, each.key, false) != Guard::Verdict::granted) continue;
    operations.push_back(json::object{{"time", each.time},
                                      {"milliseconds", each.milliseconds},
                                      {"operation", each.operation},
                                      {"key", each.key},
                                      {"mountpoint", each.mountpoint},
                                      {"driver", each.driver},
                                      {"error", each.error.empty() ? json::value() : json::value(each.error)},
                                      {"trace", each.trace.empty() ? json::value() : json::value(each.trace)}});
  }
  reply_json(request, response, 200,
             json::object{{"threshold", host_.config().log.slow}, {"operations", std::move(operations)}});
}

void AdminRoutes::config(const Request &request, Response &response) {
  reply_json(request, response, 200, report::describe(host_.config(), *storage_.plugins()));
}

} // namespace omnistore::routes
