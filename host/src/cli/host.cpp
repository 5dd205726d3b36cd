// SPDX-License-Identifier: Apache-2.0
#include "cli/host.hpp"

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

Error error_of(const std::string &what, const HttpAnswer &answer) {
  boost::system::error_code broken;
  const boost::json::value body = boost::json::parse(answer.body, broken);
  if (!broken && body.is_object())
    if (const boost::json::value *message = body.get_object().if_contains("message"); message && message->is_string())
      return Error(status_of(answer.status), std::string(message->get_string()));
  return Error(status_of(answer.status), what + ": the answer is HTTP " + std::to_string(answer.status));
}

} // namespace omnistore::cli
