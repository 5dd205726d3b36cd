// SPDX-License-Identifier: Apache-2.0
#include "cli/host_failure.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include <boost/json/parse.hpp>

namespace omnistore::cli {
namespace {

/// The driver's messages: "get k (mount root, driver http): 127.0.0.1:7700 responded to GET with 503 ...: MESSAGE".
constexpr std::string_view of_driver = " (mount root, driver http): ", responded = " responded to ", with = " with ";

Status status_of(unsigned http) {
  switch (http) {
  case 400:
  case 421:
  case 416:
  case 431:
    return Status::invalid;
  case 401:
  case 403:
  case 429: // after too many wrong tokens
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

/// Returns the next step after a token was refused; empty if it was not. RFC 6750 names the errors.
std::string token_advice(std::string_view text, bool is_401) {
  if (text.find("invalid_token") != text.npos)
    return "check the token that --token, OMNISTORE_TOKEN or the config gives";
  if (text.find("insufficient_scope") != text.npos)
    return "give a token that may do this: `write` and `bases` of the tokens in the host's config say what each may";
  return is_401 ? "give a token with --token or OMNISTORE_TOKEN" : "";
}

} // namespace

std::string tls_advice(std::string_view message) {
  const auto says = [&](std::string_view words) { return message.find(words) != message.npos; };
  if (says("self-signed certificate") || says("local issuer certificate"))
    return "if it is the right host, trust the authority of its certificate with --ca FILE";
  if (says("certificate has expired") || says("certificate is not yet valid"))
    return "replace the certificate at the host, or correct the clock of this machine";
  if (says("no alternative certificate subject name") || says("hostname mismatch") || says("IP address mismatch"))
    return "use the host's name or address as it stands in its certificate";
  if (says("speaks no TLS") || says("wrong version number")) return "use http://, or the port on which it speaks TLS";
  return {};
}

std::string as_command(const std::string &command, const std::string &message) {
  constexpr std::string_view operations[] = {"get",  "has",   "meta",   "set",   "touch", "list",
                                             "read", "clear", "remove", "watch", "stat"};
  const std::size_t end = message.find(' ');
  const bool is_operation =
      std::find(std::begin(operations), std::end(operations), message.substr(0, end)) != std::end(operations);
  return end != std::string::npos && is_operation ? command + message.substr(end) : message;
}

std::string as_host_message(const std::string &command, const std::string &message) {
  const std::size_t driver = message.find(of_driver);
  if (driver == message.npos) return message;
  const std::string subject = as_command(command, message.substr(0, driver));
  std::string cause = message.substr(driver + of_driver.size());
  if (!tls_advice(cause).empty()) // a command has no options of a driver
    cause.resize(std::min(cause.find("; set the option"), cause.size()));
  const std::size_t verb = cause.find(responded);
  if (verb == cause.npos) return subject + ": " + cause;
  const std::size_t words = cause.find(with, verb), own = cause.find(": ", words);
  if (words == cause.npos) return subject + ": " + cause;
  if (own == cause.npos) return subject + ": the host responded with HTTP " + cause.substr(words + with.size());
  const std::string reason = as_command(command, cause.substr(own + 2));
  return reason.starts_with(command + " ") ? reason : subject + ": " + reason;
}

std::string host_advice(Status status, const std::string &message) {
  const std::size_t verb = message.find(responded);
  if (const std::string tls = tls_advice(message); verb == message.npos && !tls.empty()) return tls;
  if (verb == message.npos)
    return status == Status::unavailable && message.find(of_driver) != message.npos
               ? "see that the host runs; `omnistore serve` starts one"
               : advice_on(status, message, true);
  const std::string token = token_advice(message, message.find(" with 401", verb) != message.npos);
  return status == Status::denied && !token.empty() ? token : advice_on(status, as_host_message("", message), true);
}

Error watch_failure(const std::string &what, const std::string &cause) {
  const std::size_t verb = cause.find(responded), words = verb == cause.npos ? verb : cause.find(with, verb);
  unsigned http = 0;
  if (words != cause.npos) std::from_chars(cause.data() + words + with.size(), cause.data() + cause.size(), http);
  const Status status = http != 0                                            ? status_of(http)
                        : cause.find("does not report") != std::string::npos ? Status::unsupported
                                                                             : Status::unavailable;
  return {status, what + std::string(of_driver) + cause};
}

Failure admin_failure(const std::string &what, const AdminResponse &response) {
  const Status status = status_of(response.status);
  const std::string command = what.substr(0, what.find(' '));
  std::string reason = what + ": the host responded with HTTP " + std::to_string(response.status) + " without a reason";
  boost::system::error_code broken;
  const boost::json::value body = boost::json::parse(response.body, broken);
  if (!broken && body.is_object())
    if (const boost::json::value *message = body.get_object().if_contains("message"); message && message->is_string()) {
      reason = as_command(command, std::string(message->get_string()));
      if (!reason.starts_with(command + " ")) reason.insert(0, what + ": ");
    }
  const std::string token = response.challenge.empty() ? "" : token_advice(response.challenge, response.status == 401);
  return {status, reason, status == Status::denied && !token.empty() ? token : advice_on(status, reason, true)};
}

} // namespace omnistore::cli
