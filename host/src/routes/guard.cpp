// SPDX-License-Identifier: Apache-2.0
#include "routes/guard.hpp"

#include <algorithm>

#include <omnistore/error.hpp>
#include <unistd.h>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "http/headers.hpp"
#include "http/peer.hpp"
#include "http/reply.hpp"
#include "storage/key.hpp"
#include "tls/tls.hpp"

namespace omnistore::routes {

namespace {

constexpr unsigned most_held = 64; // responses to wrong tokens that wait at once

} // namespace

Guard::Guard(const HttpConfig &config, const http::Address &address, std::string field, std::vector<Source> files)
    : field_(std::move(field)), loopback_(address.loopback), any_user_(config.any_user), origins_(config.origins),
      has_tokens_(routes::has_tokens(config) || !files.empty()), files_(std::move(files)),
      wrong_(std::make_shared<WrongTokens>(field_, std::min(most_held, config.max_connections / 4))) {
  if (!loopback_ && !has_tokens_) {
    throw Error(Status::invalid, address.text() + ": it can be reached from other machines, and " + field_ +
                                     ".tokens is empty; set tokens or tokenFile, or let " + field_ +
                                     ".listen be 127.0.0.1:" + std::to_string(address.port));
  }
  if (!any_user_ && !has_tokens_) http::Peer::prepare();
  for (const std::string &host : config.hosts) {
    if (!base::parse_authority(host))
      throw Error(Status::invalid, field_ + ".hosts: expected the name of a host such as store.example, found \"" +
                                       base::printable(host) + "\"");
    hosts_.push_back(host);
  }
  for (const HttpConfig::Token &token : config.tokens) {
    if (token.value.empty() == token.certificate.empty())
      throw Error(Status::invalid, field_ + ".tokens: a token needs a value or the name in a certificate");
    if (!token.certificate.empty() && config.tls.client_ca.empty())
      throw Error(Status::invalid, field_ + ".tokens: the certificate " + base::printable(token.certificate) +
                                       " needs " + field_ + ".tls.clientCa");
    std::string name = token.name;
    if (name.empty())
      name = token.certificate.empty() ? "token " + std::to_string(tokens_.size() + 1)
                                       : base::printable(token.certificate);
    Token kept{.name = std::move(name), .value = token.value, .certificate = token.certificate, .write = token.write};
    for (const std::string &base : token.bases) kept.bases.push_back(normal_base(base));
    tokens_.push_back(std::make_shared<const Token>(std::move(kept)));
  }
}

bool Guard::serves_host(const base::Authority &host) const {
  return !loopback_ || host.is_loopback() || std::any_of(hosts_.begin(), hosts_.end(), [&](const std::string &known) {
    return base::same_host(*base::parse_authority(known), host);
  });
}

std::string_view Guard::grant(std::string_view origin) const {
  for (const std::string &granted : origins_) {
    if (granted == "*") return granted;
    if (base::equal_ignoring_case(granted, origin)) return origin;
  }
  return {};
}

bool Guard::grants_by_name(std::string_view origin) const {
  return std::any_of(origins_.begin(), origins_.end(), [&](const std::string &granted) {
    return granted != "*" && base::equal_ignoring_case(granted, origin);
  });
}

bool Guard::same_origin(std::string_view origin, std::string_view host) {
  const std::size_t end = origin.find("://");
  if (end == std::string_view::npos) return false;
  const std::string_view scheme = origin.substr(0, end);
  const bool is_secure = base::equal_ignoring_case(scheme, "https"); // of a proxy that forwards to the host
  if (!is_secure && !base::equal_ignoring_case(scheme, "http")) return false;
  const auto page = base::parse_authority(origin.substr(end + 3)), here = base::parse_authority(host);
  const std::uint16_t usual = is_secure ? 443 : 80;
  return page && here && base::same_host(*page, *here) && page->port.value_or(usual) == here->port.value_or(usual);
}

namespace {

/// Returns the token of an Authorization header; empty if it has none.
std::string_view value_of(std::string_view authorization) {
  constexpr std::string_view scheme = "Bearer ";
  if (!base::equal_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return {};
  return base::trimmed(authorization.substr(scheme.size()));
}

} // namespace

std::shared_ptr<const Token> Guard::find(const Credentials &credentials) const {
  if (!has_tokens_) return nullptr;
  if (credentials.authorization.empty() && credentials.certificate) {
    const auto named = std::find_if(tokens_.begin(), tokens_.end(), [&](const auto &token) {
      return !token->certificate.empty() && credentials.certificate->has(token->certificate);
    });
    return named == tokens_.end() ? nullptr : *named;
  }
  const std::string_view given = value_of(credentials.authorization);
  if (given.empty()) return nullptr;
  std::shared_ptr<const Token> found;
  for (const auto &token : tokens_) {
    if (!token->value.empty() && base::equal_secret(token->value, given)) found = token;
  }
  for (const Source &source : files_) {
    if (found) break;
    std::shared_ptr<const Token> token;
    if (source.file->find(given, token) != TokenFile::Known::right) continue;
    if (!source.whole || (token->write && token->bases.empty())) found = token;
  }
  return found;
}

const Guard::Source *Guard::unchecked(const Credentials &credentials) const {
  const std::string_view given = files_.empty() ? std::string_view() : value_of(credentials.authorization);
  if (given.empty() || find(credentials)) return nullptr;
  const auto source = std::find_if(files_.begin(), files_.end(), [&](const Source &each) {
    std::shared_ptr<const Token> ignored;
    return each.file->find(given, ignored) == TokenFile::Known::unchecked;
  });
  return source == files_.end() ? nullptr : &*source;
}

bool Guard::check(const Credentials &credentials, std::function<void()> done) const {
  if (const Source *source = unchecked(credentials))
    return source->file->check(std::string(value_of(credentials.authorization)), std::move(done));
  done(); // another request has had it checked
  return true;
}

void Guard::check_now(const Credentials &credentials) const {
  while (const Source *source = unchecked(credentials))
    source->file->check_now(std::string(value_of(credentials.authorization)));
}

std::optional<Guard::Scope> Guard::scope(const Credentials &credentials) const {
  const auto token = find(credentials);
  return token ? std::optional(Scope{token->write, token->bases}) : std::nullopt;
}

Guard::Verdict Guard::judge(const Credentials &credentials) const {
  return judge(credentials, find(credentials).get());
}

Guard::Verdict Guard::judge(const Credentials &credentials, const Token *token) const {
  if (!has_tokens_ || token) return Verdict::granted;
  return credentials.authorization.empty() ? Verdict::no_token : Verdict::wrong_token;
}

Guard::Verdict Guard::judge_token(const Credentials &credentials, const Token *token, bool write, std::string_view key,
                                  bool is_base) const {
  if (!token) return credentials.authorization.empty() ? Verdict::no_token : Verdict::wrong_token;
  if (write && !token->write) return Verdict::out_of_scope;
  if (token->bases.empty()) return Verdict::granted;
  for (const std::string &base : token->bases) {
    if (key.starts_with(base)) return Verdict::granted;
    // A base lies in the scope when every key under it does: "a" is within "a:".
    if (is_base && !base.empty() && key == std::string_view(base).substr(0, base.size() - 1)) return Verdict::granted;
  }
  return Verdict::out_of_scope;
}

Guard::Verdict Guard::judge_user(const http::Request &request) const {
  if (any_user_ || has_tokens()) return Verdict::granted;
  const std::optional<uid_t> user = request.peer ? request.peer->user() : std::nullopt;
  if (!user) return Verdict::unknown_user;
  return *user == 0 || *user == ::geteuid() ? Verdict::granted : Verdict::other_user;
}

bool Guard::slow_down(const http::Request &request, http::Response &response) const {
  const WrongTokens::Penalty penalty = wrong_->add(request.peer ? request.peer->address() : boost::asio::ip::address());
  response.delay = penalty.delay;
  response.close = response.close || (penalty.slowed && penalty.delay.count() == 0);
  return penalty.slowed;
}

void Guard::refuse(const http::Request &request, http::Response &response, Verdict verdict) const {
  const auto user_may = [&](const std::string &but) {
    reply_error(request, response, 403,
                "This listener serves the user that the host runs as (uid " + std::to_string(::geteuid()) +
                    ") and root, " + but + "; " + field_ + ".tokens in the host's config can let others in");
  };
  switch (verdict) {
  case Verdict::granted:
    return;
  case Verdict::no_token:
    return reply_error(request, response, 401, "A token is needed: send Authorization: Bearer TOKEN",
                       "WWW-Authenticate: Bearer realm=\"omnistore\"\r\n");
  case Verdict::wrong_token:
    if (slow_down(request, response))
      return reply_error(request, response, 429, "This token is not known, and too many wrong ones came from there",
                         "Retry-After: 60\r\n"
                         "WWW-Authenticate: Bearer realm=\"omnistore\", error=\"invalid_token\"\r\n");
    return reply_error(request, response, 401, "This token is not known",
                       "WWW-Authenticate: Bearer realm=\"omnistore\", error=\"invalid_token\"\r\n");
  case Verdict::out_of_scope:
    return reply_error(request, response, 403, "The token's scope does not reach so far",
                       "WWW-Authenticate: Bearer realm=\"omnistore\", error=\"insufficient_scope\"\r\n");
  case Verdict::other_user:
    return user_may("and you are uid " + std::to_string(*request.peer->user()));
  case Verdict::unknown_user:
    return user_may("and the system does not say who you are");
  }
}

bool admit_target(const Guard &guard, http::Request &request, http::Response &response, http::Target &target) {
  request.grant_origin = {};
  const auto refused = [&](unsigned status, std::string_view message) {
    reply_error(request, response, status, message);
    return false;
  };
  if (!http::split_target(request.target, target)) return refused(400, "The target is neither a path nor a URL");
  const bool has_host = request.has(http::Header::host);
  if (!has_host && request.version == 11) return refused(400, "A request of HTTP/1.1 needs a Host");
  // RFC 9112 section 3.2: an invalid Host is refused even if a URL as target overrides it.
  const auto host = base::parse_authority(request[http::Header::host]);
  if (has_host && !host) return refused(400, "The Host is none: expected NAME, NAME:PORT or an address");
  if (target.authority.empty() && !has_host) return true;
  const auto authority = target.authority.empty() ? host : base::parse_authority(target.authority);
  if (!authority) return refused(400, "The target's host is none: expected NAME, NAME:PORT or an address");
  if (target.authority.empty()) target.authority = request[http::Header::host];
  if (guard.serves_host(*authority)) return true;
  return refused(421, "This host is not served here; " + guard.config_field() + ".hosts can name it");
}

bool admit_origin(const Guard &guard, http::Request &request, const http::Target &target) {
  const std::string_view origin = request[http::Header::origin];
  if (origin.empty()) return true;
  request.grant_origin = guard.grant(origin);
  return !request.grant_origin.empty() || Guard::same_origin(origin, target.authority);
}

void refuse_origin(const Guard &guard, const http::Request &request, http::Response &response) {
  reply_error(request, response, 403,
              "This origin is granted no access; " + guard.config_field() + ".origins can grant it");
}

void respond_to_options(const Guard &guard, const http::Request &request, http::Response &response,
                        std::string_view methods, bool foreign) {
  if (foreign && request.has(http::Header::requested_method)) return refuse_origin(guard, request, response);
  begin_head(response, 204);
  header(response, "Allow", methods);
  if (!request.grant_origin.empty()) {
    header(response, "Access-Control-Allow-Methods", methods);
    header(response, "Access-Control-Allow-Headers", http::allowed_headers());
    header(response, "Access-Control-Max-Age", std::uint64_t{600});
  }
  end_bare_head(request, response);
}

} // namespace omnistore::routes
