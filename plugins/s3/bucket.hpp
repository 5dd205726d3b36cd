// SPDX-License-Identifier: Apache-2.0
// Signed requests to one bucket, with retries. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

#include "signing.hpp"
#include "transport/client.hpp"
#include "xml.hpp"

namespace s3 {

/// Returns the kind of failure of one object of many.
omnistore_status status_of(const Error &error);

/// Returns the text with '/' in place of ':'.
std::string slashed(std::string_view key);

struct Settings {
  std::string endpoint; ///< http[s]://host[:port][/path]
  std::string bucket, region;
  bool path_style;  ///< the bucket is in the path, else in the name of the host
  std::string base; ///< the names of all objects start with it; it is empty or ends in '/'
  Credentials credentials;
  http::Limits limits;
  unsigned retries;
};

/// Throws Failure(OMNISTORE_INVALID).
Settings settings_in(const omnistore::Options &options);

/// When a request may be sent again.
enum class Repeat {
  always,       ///< it has the same result if it is done twice
  if_untouched, ///< only if the server has done nothing of it
};

/// A request for an object or, if `name` is empty, for the bucket.
struct Request {
  const char *method = "GET";
  std::string name = {};
  Pairs query = {};
  Pairs headers = {};         ///< names in lower case
  bool has_body = false;      ///< a PUT or a POST
  std::string_view body = {}; ///< is hashed and may be sent again
  Repeat repeat = Repeat::always;
};

class Bucket {
public:
  Bucket(const omnistore_host &host, Settings settings);

  /// Sends a request. Returns a good response, or one with 304, 404 of an object, 412 or 416. Retries what may be gone
  /// soon, within the call's deadline. Throws Failure for every other response, and if there is none.
  http::Response send(omnistore::Call call, const Request &request, const http::Take &take = &http::take_all);

  /// The same, with the text of a good response.
  http::Response send(omnistore::Call call, const Request &request, std::string &text);

  /// Returns if the bucket can be listed, or if only listing is denied. Throws Failure.
  void check(omnistore::Call call);

  /// Returns the name of a key's object.
  std::string name_of(std::string_view key) const;
  /// Returns the key of an object; empty: its name stands for no key.
  std::string key_of(std::string_view name) const;

  const Settings &settings() const { return settings_; }
  const omnistore_host &host() const { return host_; }

  /// Returns the failure that the text of an error stands for.
  omnistore::Failure refused(const char *method, const http::Response &response, bool has_name) const;

private:
  http::Response once(omnistore::Call call, const Request &request, const http::Take &take);

  const omnistore_host &host_;
  const Settings settings_;
  std::string host_header_;
  std::string path_; ///< before the object's name, encoded, ends in '/'
  http::Client client_;
};

} // namespace s3
