// SPDX-License-Identifier: Apache-2.0
#include "cli/host.hpp"

#include <algorithm>

#include <boost/json/parse.hpp>

#include "cli/failure.hpp"

namespace omnistore::cli {
Status status_of(unsigned http) {
  switch (http) {
  case 400:
  case 421:
  case 416:
  case 431:
    return Status::invalid;
  case 401:
  case 403:
  case 429: // to too many wrong tokens
    return Status::denied;
  case 404:
    return Status::not_found;
  case 405:
    return Status::read_only;
  case 412:
    return Status::conflict;
  case 413:
    return Status::too_large;
  case 501:
    return Status::unsupported;
  case 502:
  case 503:
    return Status::unavailable;
  case 408:
  case 504:
    return Status::timeout;
  case 507:
    return Status::no_space;
  default:
    return Status::internal;
  }
}

Host::Host(const std::string &url, const std::string &token) : url_(url), client_(url) {
  if (!token.empty()) authorization_ = "Bearer " + token;
}

HttpAnswer Host::send(HttpRequest request, const std::function<void(const HttpAnswer &)> &head,
                      const std::function<void(std::string_view)> &piece) {
  if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
  request.headers.emplace_back("Accept", "application/octet-stream");
  try {
    return client_.send(request, head, piece);
  } catch (const Error &error) {
    if (error.status() != Status::unavailable) throw;
    throw Failure(Status::unavailable, error.what(), "see that the host runs; `omnistore serve` starts one");
  }
}

namespace {

/// What to do about a token that a host refuses, by what it says of it (RFC 6750).
std::string token_advice(const HttpAnswer &answer) {
  const std::string challenge = answer.header("WWW-Authenticate");
  if (challenge.find("invalid_token") != std::string::npos)
    return "check the token that --token, OMNISTORE_TOKEN or the config gives";
  if (challenge.find("insufficient_scope") != std::string::npos)
    return "give a token that may do this: `write` and `bases` of the tokens in the host's config say what each may";
  return "give a token with --token or OMNISTORE_TOKEN";
}

} // namespace

std::string as_command(const std::string &command, const std::string &message) {
  constexpr std::string_view operations[] = {"get",  "has",   "meta",   "set",   "touch", "list",
                                             "read", "clear", "remove", "watch", "stat"};
  const std::size_t end = message.find(' ');
  const bool is_operation =
      std::find(std::begin(operations), std::end(operations), message.substr(0, end)) != std::end(operations);
  return end != std::string::npos && is_operation ? command + message.substr(end) : message;
}

Failure error_of(const std::string &what, const HttpAnswer &answer) {
  const Status status = status_of(answer.status);
  const std::string command = what.substr(0, what.find(' '));
  std::string reason = what + ": the host answered HTTP " + std::to_string(answer.status) + " without a reason";
  boost::system::error_code broken;
  const boost::json::value body = boost::json::parse(answer.body, broken);
  if (!broken && body.is_object())
    if (const boost::json::value *message = body.get_object().if_contains("message"); message && message->is_string()) {
      reason = as_command(command, std::string(message->get_string()));
      if (!reason.starts_with(command + " ")) reason.insert(0, what + ": ");
    }
  const bool is_of_token = status == Status::denied && !answer.header("WWW-Authenticate").empty();
  return {status, reason, is_of_token ? token_advice(answer) : advice_on(status, reason, true)};
}

} // namespace omnistore::cli
