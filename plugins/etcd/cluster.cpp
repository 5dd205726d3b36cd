// SPDX-License-Identifier: Apache-2.0
#include "cluster.hpp"

#include <utility>

#include "json.hpp"

namespace etcd {
namespace {

using omnistore::Failure;

// gRPC's codes, as etcd uses them.
constexpr int INVALID_ARGUMENT = 3, DEADLINE = 4, NOT_FOUND = 5, NO_PERMISSION = 7, EXHAUSTED = 8, PRECONDITION = 9,
              OUT_OF_RANGE = 11, UNAUTHENTICATED = 16;

http::Base base_of(const std::string &endpoint) {
  try {
    http::Base base = http::parse_base(endpoint);
    if (base.has_login)
      throw Failure(OMNISTORE_INVALID,
                    "option endpoints: a user and a password stand in the options user and password");
    return base;
  } catch (const Failure &failure) {
    std::string words = failure.what();
    if (const std::string head = "option base"; words.starts_with(head))
      words.replace(0, head.size(), "option endpoints");
    throw Failure(OMNISTORE_INVALID, words);
  }
}

http::Limits limits_in(const omnistore::Options &options) {
  http::Limits limits{http::milliseconds(options.integer("timeout", 10'000)), http::milliseconds(60'000),
                      http::milliseconds(options.integer("connectTimeout", 2'000)),
                      static_cast<std::size_t>(options.integer("maxConnections", 8)), options.string("ca", "")};
  limits.certificate = options.string("certificate", "");
  limits.key = options.string("key", "");
  if (limits.certificate.empty() != limits.key.empty())
    throw Failure(OMNISTORE_INVALID, "option key: a client's certificate needs both options, certificate and key");
  return limits;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

omnistore_status status_of(int code, std::string_view message) {
  switch (code) {
  case INVALID_ARGUMENT:
    if (contains(message, "request is too large")) return OMNISTORE_TOO_LARGE;
    return contains(message, "authentication failed") || contains(message, "user name") ? OMNISTORE_DENIED
                                                                                        : OMNISTORE_INVALID;
  case DEADLINE:
    return OMNISTORE_TIMEOUT;
  case NO_PERMISSION:
  case UNAUTHENTICATED:
    return OMNISTORE_DENIED;
  case EXHAUSTED:
    if (contains(message, "larger than max")) return OMNISTORE_TOO_LARGE;
    return contains(message, "space") ? OMNISTORE_NO_SPACE : OMNISTORE_UNAVAILABLE;
  case NOT_FOUND:
  case PRECONDITION:
  case OUT_OF_RANGE:
    return OMNISTORE_INVALID;
  default:
    return OMNISTORE_UNAVAILABLE; // such as 14, and a leader that is being elected
  }
}

bool changed_nothing(int code) {
  return code == INVALID_ARGUMENT || code == NOT_FOUND || code == NO_PERMISSION || code == EXHAUSTED ||
         code == PRECONDITION || code == OUT_OF_RANGE || code == UNAUTHENTICATED;
}

/// Returns what would help, for a message.
const char *advice(int code, std::string_view message) {
  if (contains(message, "user name is empty")) return "; this etcd wants the options user and password";
  if (contains(message, "authentication is not enabled"))
    return "; leave out the options user and password, or enable it with etcdctl auth enable";
  if (contains(message, "too large") || contains(message, "larger than max"))
    return "; raise etcd's --max-request-bytes and the option maxRequestBytes";
  if (code == EXHAUSTED && contains(message, "space"))
    return "; compact and defragment it, or raise its --quota-backend-bytes, and clear its alarm";
  return "";
}

} // namespace

bool Refused::lost_lease() const { return code_ == NOT_FOUND && contains(what(), "lease not found"); }

bool Refused::stale_token() const {
  return code_ == UNAUTHENTICATED || contains(what(), "invalid auth token") || contains(what(), "auth: revision");
}

Cluster::Cluster(const omnistore::Options &options)
    : user_(options.string("user", "")), password_(options.string("password", "")) {
  const std::vector<std::string> endpoints =
      options.strings("endpoints", std::vector<std::string>{"http://127.0.0.1:2379"});
  if (endpoints.empty()) throw Failure(OMNISTORE_INVALID, "option endpoints: there is none");
  if (user_.empty() && !password_.empty()) throw Failure(OMNISTORE_INVALID, "option user: the password has no user");
  for (const std::string &each : endpoints)
    clients_.push_back(std::make_unique<http::Client>(base_of(each), http::Headers{}, limits_in(options)));
}

std::string Cluster::post(omnistore::Call call, const char *path, std::string_view body, Kind kind) {
  bool renewed = false;
  for (std::size_t failed = 0;;) {
    const std::size_t index = current_.load();
    try {
      return once(call, *clients_[index], path, body, true);
    } catch (const Refused &failure) {
      if (!renewed && renew_token(failure)) {
        renewed = true; // the request was refused whole
        continue;
      }
      if (failure.status() != OMNISTORE_UNAVAILABLE && failure.status() != OMNISTORE_TIMEOUT) throw;
      pass_over(index);
      if (++failed == clients_.size() || call.remaining() == 0) throw;
      if (kind == Kind::write && !failure.details().nothing_done) throw;
    } catch (const Failure &failure) {
      if (failure.status() != OMNISTORE_UNAVAILABLE && failure.status() != OMNISTORE_TIMEOUT) throw;
      if (call.remaining() == 0) throw;
      pass_over(index);
      if (++failed == clients_.size()) {
        if (failed == 1) throw;
        throw Failure(failure.status(),
                      "none of the " + std::to_string(failed) +
                          " endpoints can be reached; the last: " + failure.what(),
                      failure.details());
      }
      if (kind == Kind::write && !failure.details().nothing_done) throw;
    }
  }
}

std::unique_ptr<http::Stream> Cluster::stream(omnistore::Call call, http::Body &body, http::Take take) {
  http::Client &client = *clients_[current_.load()];
  http::Request request{"POST", "/v3/watch", {}, &body, true};
  if (!user_.empty()) request.headers.emplace_back("Authorization", token(call, client));
  return std::make_unique<http::Stream>(client, call.trace(), std::move(request), std::move(take));
}

Refused Cluster::failure(std::string_view body, int http_status) const {
  const std::string shown = clients_[current_.load()]->base().shown + ": ";
  try {
    const Json whole = parse(body);
    const Json &error = whole["error"].names.empty() ? whole : whole["error"]; // a stream's error is an object
    const int code = static_cast<int>(error[error.has("code") ? "code" : "grpc_code"].number());
    const std::string message = http::message_part(std::string(error["message"].text));
    if (!message.empty() && code != 0)
      return {code, status_of(code, message), shown + message + advice(code, message), {changed_nothing(code), 0}};
  } catch (const Failure &) { // a page of something between us and etcd
  }
  return {0,
          http_status == 404 ? OMNISTORE_INVALID : OMNISTORE_UNAVAILABLE,
          shown + "the response has HTTP status " + std::to_string(http_status) +
              (http_status == 404 ? ", so this is not the client port of etcd 3.4 or later" : ""),
          {http_status == 404, 0}};
}

bool Cluster::renew_token(const Refused &failure) {
  if (user_.empty() || !failure.stale_token()) return false;
  const std::lock_guard lock(mutex_);
  token_.clear();
  return true;
}

std::string Cluster::once(omnistore::Call call, http::Client &client, const char *path, std::string_view body,
                          bool with_token) {
  http::Body bytes(body);
  http::Request request{"POST", path, {}, &bytes, true};
  if (with_token && !user_.empty()) request.headers.emplace_back("Authorization", token(call, client));
  std::string text;
  const http::Response response = client.run(call, request, [&text](const http::Response &, std::string_view piece) {
    text += piece;
    return true;
  });
  if (!response.good()) throw failure(response.text, response.status);
  return text;
}

std::string Cluster::token(omnistore::Call call, http::Client &client) {
  {
    const std::lock_guard lock(mutex_);
    if (!token_.empty()) return token_;
  }
  std::string text;
  try {
    text = once(call, client, "/v3/auth/authenticate",
                R"({"name":)" + json_string(user_) + R"(,"password":)" + json_string(password_) + "}", false);
  } catch (const Refused &refused) {
    throw Refused(0, refused.status() == OMNISTORE_INVALID ? OMNISTORE_DENIED : refused.status(), refused.what(),
                  omnistore::nothing_done);
  } catch (const Failure &failure) { // nothing of the request itself was sent
    throw Failure(failure.status(), failure.what(), omnistore::nothing_done);
  }
  const std::lock_guard lock(mutex_);
  token_ = parse(text)["token"].text;
  return token_;
}

void Cluster::pass_over(std::size_t index) {
  current_.compare_exchange_strong(index, (index + 1) % clients_.size()); // another thread may have done it
}

} // namespace etcd
