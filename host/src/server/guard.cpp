// SPDX-License-Identifier: Apache-2.0
#include "server/guard.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include <omnistore/error.hpp>

#include "server/reply.hpp"
#include "server/text.hpp"
#include "storage/key.hpp"

namespace omnistore::server {

namespace {

bool is_loopback(const std::string &host) {
  in_addr four{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  if (inet_pton(AF_INET6, host.c_str(), &six) != 1) return false;
  if (IN6_IS_ADDR_LOOPBACK(&six)) return true;
  return IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127;
}

bool is_address(const std::string &host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

/// "[::1]:7700" -> "::1": without brackets, port and the dot that a full name may end in.
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    host = host.substr(0, colon);
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

/// Compares in a time that says nothing of how much of the token was right.
bool equal_in_constant_time(std::string_view secret, std::string_view given) {
  unsigned differences = secret.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    differences |= static_cast<unsigned char>(expected) ^ static_cast<unsigned char>(given[i]);
  }
  return differences == 0;
}

} // namespace

std::string Address::text() const {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_listen(const std::string &text, const std::string &field) {
  const auto wrong = [&](const std::string &why) {
    return Error(Status::invalid, field + ".listen: " + why + ", found \"" + text + "\"");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw wrong("expected ADDRESS:PORT, as 127.0.0.1:7700");
  const auto port = number(std::string_view(text).substr(colon + 1), 0, 65535);
  if (!port) throw wrong("expected a port from 0 to 65535 behind the last ':'");
  Address address;
  address.host = text.substr(0, colon);
  address.port = static_cast<std::uint16_t>(*port);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (!is_address(address.host)) throw wrong("expected an IP address, as 127.0.0.1, 0.0.0.0 or [::1], or localhost");
  address.loopback = is_loopback(address.host);
  return address;
}

Guard::Guard(const HttpConfig &config, const Address &address, std::string field)
    : field_(std::move(field)), loopback_(address.loopback), origins_(config.origins) {
  if (!loopback_ && config.tokens.empty()) {
    throw Error(Status::invalid, address.text() + ": it can be reached from other machines, and " + field_ +
                                     ".tokens is empty; set tokens, or let " + field_ +
                                     ".listen be 127.0.0.1:" + std::to_string(address.port));
  }
  for (const std::string &host : config.hosts) hosts_.emplace_back(host_name(host));
  for (const HttpConfig::Token &token : config.tokens) {
    if (token.value.empty()) throw Error(Status::invalid, field_ + ".tokens: a token's value is empty");
    Token kept{token.value, token.write, {}};
    for (const std::string &base : token.bases) kept.bases.push_back(normal_base(base));
    tokens_.push_back(std::move(kept));
  }
}

bool Guard::serves_host(std::string_view host) const {
  if (!loopback_) return true;
  const std::string_view name = host_name(host);
  if (name == "127.0.0.1" || equal_ignoring_case(name, "localhost") || is_loopback(std::string(name))) return true;
  return std::any_of(hosts_.begin(), hosts_.end(), [&](auto &known) { return equal_ignoring_case(known, name); });
}

std::string_view Guard::grant(std::string_view origin) const {
  for (const std::string &granted : origins_) {
    if (granted == "*") return granted;
    if (equal_ignoring_case(granted, origin)) return origin;
  }
  return {};
}

bool Guard::same_origin(std::string_view origin, std::string_view host) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && equal_ignoring_case(origin.substr(scheme + 3), host);
}

const Guard::Token *Guard::find(std::string_view authorization) const {
  constexpr std::string_view scheme = "Bearer ";
  if (!equal_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return nullptr;
  const std::string_view given = trimmed(authorization.substr(scheme.size()));
  const Token *found = nullptr;
  for (const Token &token : tokens_) {
    if (equal_in_constant_time(token.value, given)) found = &token;
  }
  return found;
}

Guard::Verdict Guard::judge(std::string_view authorization) const {
  if (tokens_.empty()) return Verdict::granted;
  if (authorization.empty()) return Verdict::no_token;
  return find(authorization) ? Verdict::granted : Verdict::wrong_token;
}

Guard::Verdict Guard::judge(std::string_view authorization, bool write, std::string_view key, bool is_base) const {
  if (tokens_.empty()) return Verdict::granted;
  if (authorization.empty()) return Verdict::no_token;
  const Token *token = find(authorization);
  if (!token) return Verdict::wrong_token;
  if (write && !token->write) return Verdict::out_of_scope;
  if (token->bases.empty()) return Verdict::granted;
  for (const std::string &base : token->bases) {
    if (key.starts_with(base)) return Verdict::granted;
    // A base lies in the scope when every key under it does: "a" is within "a:".
    if (is_base && !base.empty() && key == std::string_view(base).substr(0, base.size() - 1)) return Verdict::granted;
  }
  return Verdict::out_of_scope;
}

bool admit_target(const Guard &guard, Request &request, Response &response, Target &target) {
  request.grant_origin = {};
  const auto refused = [&](unsigned status, std::string_view message) {
    reply_error(request, response, status, message);
    return false;
  };
  if (!split_target(request.target, target)) return refused(400, "The target is neither a path nor a URL");
  if (target.authority.empty()) target.authority = request[Field::host];
  if (target.authority.empty() && request.version == 11) return refused(400, "A request of HTTP/1.1 needs a Host");
  if (target.authority.empty() || guard.serves_host(target.authority)) return true;
  return refused(421, "This host is not served here; " + guard.config_field() + ".hosts can name it");
}

bool admit_origin(const Guard &guard, Request &request, const Target &target) {
  const std::string_view origin = request[Field::origin];
  if (origin.empty()) return true;
  request.grant_origin = guard.grant(origin);
  return !request.grant_origin.empty() || Guard::same_origin(origin, target.authority);
}

void refuse_origin(const Guard &guard, const Request &request, Response &response) {
  reply_error(request, response, 403,
              "This origin is granted no access; " + guard.config_field() + ".origins can grant it");
}

void answer_options(const Guard &guard, const Request &request, Response &response, std::string_view methods,
                    bool foreign) {
  if (foreign && request.has(Field::requested_method)) return refuse_origin(guard, request, response);
  begin_head(response, 204);
  field(response, "Allow", methods);
  if (!request.grant_origin.empty()) {
    field(response, "Access-Control-Allow-Methods", methods);
    field(response, "Access-Control-Allow-Headers",
          "Accept, Authorization, Content-Type, If-Match, If-None-Match, If-Range, Last-Event-ID, Range, "
          "X-Ttl");
    field(response, "Access-Control-Max-Age", std::uint64_t{600});
  }
  end_bare_head(request, response);
}

void refuse(const Request &request, Response &response, Guard::Verdict verdict) {
  switch (verdict) {
  case Guard::Verdict::granted:
    return;
  case Guard::Verdict::no_token:
    return reply_error(request, response, 401, "A token is needed: send Authorization: Bearer TOKEN",
                       "WWW-Authenticate: Bearer realm=\"omnistore\"\r\n");
  case Guard::Verdict::wrong_token:
    return reply_error(request, response, 401, "This token is not known",
                       "WWW-Authenticate: Bearer realm=\"omnistore\", error=\"invalid_token\"\r\n");
  case Guard::Verdict::out_of_scope:
    return reply_error(request, response, 403, "The token's scope does not reach so far",
                       "WWW-Authenticate: Bearer realm=\"omnistore\", error=\"insufficient_scope\"\r\n");
  }
}

} // namespace omnistore::server
