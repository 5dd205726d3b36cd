// SPDX-License-Identifier: Apache-2.0
#include "bucket.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include <omnistore/value.hpp>

#include "credentials.hpp"
#include "transport/base.hpp"
#include "xml.hpp"

namespace s3 {
namespace {

using omnistore::Failure;

constexpr std::int64_t FIRST_WAIT = 100, LONGEST_WAIT = 5'000; // milliseconds
constexpr std::chrono::milliseconds POLL_INTERVAL{50};

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
         });
}

/// Returns the URL of the service, or of the bucket in host style.
std::string url_of(const Settings &settings) {
  if (settings.path_style) return settings.endpoint;
  const std::size_t host = settings.endpoint.find("://") + 3;
  return settings.endpoint.substr(0, host) + settings.bucket + "." + settings.endpoint.substr(host);
}

/// Returns the Host header as libcurl sends it.
std::string host_of(std::string_view url) {
  const bool tls = url.starts_with("https:");
  url.remove_prefix(url.find("://") + 3);
  url = url.substr(0, url.find('/'));
  const std::string_view port = tls ? ":443" : ":80";
  if (url.ends_with(port)) url.remove_suffix(port.size());
  return std::string(url);
}

std::string path_in(std::string_view url) {
  const std::size_t slash = url.find('/', url.find("://") + 3);
  return slash == url.npos ? std::string() : std::string(url.substr(slash));
}

/// The words that follow the server's own: what the user can do.
std::string next_step(const std::string &code, const Error &error, const Settings &settings,
                      const http::Response &response, std::int64_t now) {
  if (code == "NoSuchBucket") return "make the bucket " + settings.bucket + ", or mend the option bucket";
  if (code == "InvalidAccessKeyId")
    return "the server does not know this access key: mend accessKeyId, or the place that it comes from";
  if (code == "SignatureDoesNotMatch")
    return "the secret access key does not belong to the access key, or a proxy changes requests";
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired")
    return "the session token is no longer good: get a new one, then reload";
  if (code == "RequestTimeTooSkewed") {
    std::string by;
    if (response.date != 0)
      by = " differs by " + std::to_string(std::abs(now - response.date) / 1000) + " s from the server's";
    return "this machine's clock" + (by.empty() ? " is wrong" : by) + ": set it, for example with NTP";
  }
  if (code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect" || code == "TemporaryRedirect" ||
      code == "IllegalLocationConstraintException")
    return error.region.empty() ? "the bucket is in another region than " + settings.region + ": set the option region"
                                : "the bucket is in the region " + error.region + ": set the option region to it";
  if (code == "AccessDenied") return "the user lacks a right on this bucket";
  return {};
}

omnistore_status kind_of(const std::string &code, int status, bool write) {
  static constexpr std::pair<std::string_view, omnistore_status> KINDS[] = {
      {"NoSuchBucket", OMNISTORE_INVALID},
      {"InvalidAccessKeyId", OMNISTORE_DENIED},
      {"SignatureDoesNotMatch", OMNISTORE_DENIED},
      {"ExpiredToken", OMNISTORE_DENIED},
      {"InvalidToken", OMNISTORE_DENIED},
      {"TokenRefreshRequired", OMNISTORE_DENIED},
      {"RequestTimeTooSkewed", OMNISTORE_DENIED},
      {"EntityTooLarge", OMNISTORE_TOO_LARGE},
      {"KeyTooLongError", OMNISTORE_TOO_LARGE},
      {"QuotaExceeded", OMNISTORE_NO_SPACE},
      {"XMinioStorageFull", OMNISTORE_NO_SPACE},
      {"RequestTimeout", OMNISTORE_UNAVAILABLE},
      {"SlowDown", OMNISTORE_UNAVAILABLE},
      {"OperationAborted", OMNISTORE_UNAVAILABLE},
      {"ConditionalRequestConflict", OMNISTORE_UNAVAILABLE},
  };
  for (const auto &[name, kind] : KINDS)
    if (name == code) return kind;
  if (status >= 300 && status < 400) return OMNISTORE_INVALID;
  return http::status_of(status, write);
}

/// Returns true if a server that sends this has done nothing of the request.
bool changed_nothing(const http::Response &response, const std::string &code) {
  return response.status == 503 || code == "SlowDown" ||
         (response.status < 500 && http::changed_nothing(response.status));
}

} // namespace

omnistore_status status_of(const Error &error) {
  return kind_of(error.code, error.code == "AccessDenied" ? 403 : 500, true);
}

std::string slashed(std::string_view key) {
  std::string name(key);
  std::replace(name.begin(), name.end(), ':', '/');
  return name;
}

Settings settings_in(const omnistore::Options &options) {
  const auto milliseconds = [&](const char *name, std::int64_t otherwise) {
    return http::milliseconds(options.integer(name, otherwise));
  };
  Settings settings{options.string("endpoint", ""),
                    options.string("bucket"),
                    region_in(options, &from_environment),
                    false,
                    slashed(options.string("base", "")),
                    credentials_in(options, &from_environment),
                    {milliseconds("timeout", 3'600'000),
                     milliseconds("idleTimeout", 60'000),
                     milliseconds("connectTimeout", 5'000),
                     static_cast<std::size_t>(options.integer("maxConnections", 8)),
                     options.string("ca", ""),
                     false,
                     {},
                     {},
                     false},
                    static_cast<unsigned>(options.integer("retries", 4))};
  const std::string style = options.string("style", "auto");
  settings.path_style = style == "path" || (style == "auto" && !settings.endpoint.empty());
  if (settings.endpoint.empty()) settings.endpoint = "https://s3." + settings.region + ".amazonaws.com";
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  if (http::server_of(settings.endpoint).empty() || settings.endpoint.find('@') != std::string::npos)
    throw Failure(OMNISTORE_INVALID, "option endpoint: expected http[s]://host[:port][/path]");
  if (!is_bucket_name(settings.bucket))
    throw Failure(OMNISTORE_INVALID, "option bucket: expected 3 to 63 letters, digits, '-', '.' and '_'");
  while (settings.base.ends_with('/')) settings.base.pop_back();
  if (!settings.base.empty() && !http::is_key(options.string("base")))
    throw Failure(OMNISTORE_INVALID, "option base: expected the form of a key, such as a:b");
  if (!settings.base.empty()) settings.base += '/';
  http::check_tls_files(settings.limits);
  return settings;
}

Bucket::Bucket(const omnistore_host &host, Settings settings)
    : host_(host), settings_(std::move(settings)), host_header_(host_of(url_of(settings_))),
      path_(path_in(settings_.endpoint) + "/" + (settings_.path_style ? settings_.bucket + "/" : "")),
      client_(http::parse_base(http::server_of(url_of(settings_))), {}, settings_.limits) {}

std::string Bucket::name_of(std::string_view key) const { return settings_.base + slashed(key); }

std::string Bucket::key_of(std::string_view name) const {
  if (!name.starts_with(settings_.base) || name.find(':') != name.npos) return {};
  std::string key(name.substr(settings_.base.size()));
  std::replace(key.begin(), key.end(), '/', ':');
  return http::is_key(key) ? key : std::string();
}

http::Response Bucket::once(omnistore::Call call, const Request &request, const http::Take &take) {
  const std::string path = request.name.empty() && !settings_.path_style ? path_
                           : request.name.empty()                        ? path_.substr(0, path_.size() - 1)
                                                                         : path_ + encoded(request.name, true);
  const std::string query = canonical_query(request.query);
  Pairs headers = request.headers;
  headers.emplace_back("x-amz-content-sha256", sha256_hex(request.body));
  headers.emplace_back("x-amz-date", amz_date(host_.now(&host_)));
  if (!settings_.credentials.token.empty()) headers.emplace_back("x-amz-security-token", settings_.credentials.token);
  headers.emplace_back("host", host_header_);
  const std::string signature =
      authorization(settings_.credentials, settings_.region, {request.method, path, query, headers});
  headers.pop_back(); // libcurl sends it
  headers.emplace_back("authorization", signature);

  http::Body body(request.body);
  const http::Request sent{request.method, query.empty() ? path : path + "?" + query, std::move(headers),
                           request.has_body ? &body : nullptr};
  return client_.run(call, sent, take);
}

Failure Bucket::refused(const char *method, const http::Response &response, bool has_name) const {
  const Error error = error_in(response.text);
  const bool write = std::strcmp(method, "GET") != 0 && std::strcmp(method, "HEAD") != 0;
  std::string words = client_.base().shown + " responded to " + method + " with " + std::to_string(response.status);
  if (const std::string code = http::message_part(error.code); !code.empty()) words += " " + code;
  if (const std::string text = http::message_part(error.message); !text.empty()) words += ": " + text;
  const std::int64_t now = host_.now(&host_);
  if (const std::string step = next_step(error.code, error, settings_, response, now); !step.empty())
    words += ". " + std::string(step);
  // A bucket's 404 without a code must not be taken for an object's.
  const omnistore_status kind =
      response.status == 404 && !has_name ? OMNISTORE_INVALID : kind_of(error.code, response.status, write);
  return {kind, words, {changed_nothing(response, error.code), response.retry_delay(now)}};
}

http::Response Bucket::send(omnistore::Call call, const Request &request, const http::Take &take) {
  bool taken = false; // a part of the value was passed on, so that the request cannot start again
  const http::Take noted = [&](const http::Response &response, std::string_view piece) {
    taken = true;
    return take(response, piece);
  };
  std::minstd_rand random(static_cast<unsigned>(std::chrono::steady_clock::now().time_since_epoch().count()));
  for (unsigned attempt = 0;; ++attempt) {
    std::optional<Failure> failure;
    try {
      const http::Response response = once(call, request, noted);
      const int status = response.status;
      if (response.good() || status == 304 || status == 412 || status == 416) return response;
      const bool is_head = std::strcmp(request.method, "HEAD") == 0;
      if (status == 404 && !request.name.empty() && error_in(response.text).code != "NoSuchBucket") return response;
      if (is_head && status < 500) { // an error without its words: the same as a GET has them
        Request again = request;
        again.method = "GET";
        again.headers.emplace_back("range", "bytes=0-0");
        return send(call, again);
      }
      failure = refused(request.method, response, !request.name.empty());
    } catch (const Failure &caught) {
      failure = caught;
    }
    const bool may_pass = failure->status() == OMNISTORE_UNAVAILABLE && attempt < settings_.retries && !taken &&
                          (request.repeat == Repeat::always || failure->details().nothing_done);
    if (!may_pass) throw *failure;
    const std::int64_t most = std::min(FIRST_WAIT << std::min(attempt, 10u), LONGEST_WAIT);
    const std::int64_t wait =
        std::max(std::uniform_int_distribution<std::int64_t>(most / 2, most)(random), failure->details().retry_after);
    if (call.remaining() <= wait) throw *failure;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait);
    for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
      std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(end - now, POLL_INTERVAL));
      if (call.remaining() <= 0) throw *failure;
    }
  }
}

http::Response Bucket::send(omnistore::Call call, const Request &request, std::string &text) {
  return send(call, request, [&text](const http::Response &, std::string_view piece) {
    text += piece;
    return true;
  });
}

void Bucket::check(omnistore::Call call) {
  Request request;
  request.query = {{"list-type", "2"}, {"max-keys", "1"}};
  if (!settings_.base.empty()) request.query.emplace_back("prefix", settings_.base);
  const http::Response response = once(call, request, &http::take_all);
  if (response.good()) return;
  if (response.status == 403 && error_in(response.text).code == "AccessDenied") return; // it may read and write
  throw refused(request.method, response, false);
}

} // namespace s3
