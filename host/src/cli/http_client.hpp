// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 client: one connection, one request at a time, kept open between them. What it is built with stays
// in its one source file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omnistore::cli {

struct HttpRequest {
  std::string method;
  std::string target; ///< as it stands in the request, escaped
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;
  /// A body that comes piece by piece, in place of `body`: puts bytes into the room given and returns how many; 0: that
  /// was all. What it throws ends the request, which the host then sees cut off.
  std::function<std::size_t(char *, std::size_t)> source{};
  std::uint64_t source_size = UINT64_MAX; ///< UINT64_MAX: not known, it goes in chunks
};

struct HttpAnswer {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body; ///< empty where it went to a function piece by piece

  /// Returns a header's value, without regard to the case of its name; null if it is absent. It lives as long as this.
  const std::string *find(std::string_view name) const;
  /// The same; empty if it is absent.
  std::string header(std::string_view name) const;
};

class HttpClient {
public:
  /// "http://host[:port][/folder]". Throws Error(invalid).
  explicit HttpClient(const std::string &url);
  ~HttpClient();
  HttpClient(HttpClient &&) noexcept;

  const std::string &host() const; ///< without the port
  std::uint16_t port() const;
  const std::string &folder() const; ///< what stands in front of every target; no '/' at its end

  /// `head` is called once the answer's head is there, `piece` with each part of its body; without them the body is
  /// kept. Throws Error(unavailable) where there is no connection, Error(timeout) where no byte moves for 60 seconds.
  HttpAnswer send(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head = {},
                  const std::function<void(std::string_view)> &piece = {});

  /// Makes a send() that another thread is at, and all later ones, throw Error(unavailable) at once. On any thread.
  void cancel();

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Percent-encodes all but letters, digits and "-._~".
std::string escape(std::string_view text);

} // namespace omnistore::cli
