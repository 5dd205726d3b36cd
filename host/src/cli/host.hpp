// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <omnistore/error.hpp>

#include "cli/failure.hpp"
#include "cli/http_client.hpp"

namespace omnistore::cli {

/// One of a running host's listeners, as a client that has a token. For one thread at a time.
class Host {
public:
  Host(const std::string &url, const std::string &token);

  const std::string &url() const { return url_; }
  const HttpClient &client() const { return client_; }
  /// As HttpClient::send.
  HttpAnswer send(HttpRequest request, const std::function<void(const HttpAnswer &)> &head = {},
                  const std::function<void(std::string_view)> &piece = {});

private:
  std::string url_;
  HttpClient client_;
  std::string authorization_;
};

/// What kind of failure an HTTP status means.
Status status_of(unsigned http);

/// A host's message with the command's name in place of the operation's, which failed there: "rm a: ..." for "remove
/// a: ...".
std::string as_command(const std::string &command, const std::string &message);

/// The failure that an answer tells of, in the host's own words if it is one of ours. `what` is the command that was
/// typed and its key, "has user:1".
Failure error_of(const std::string &what, const HttpAnswer &answer);

} // namespace omnistore::cli
