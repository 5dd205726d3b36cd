// SPDX-License-Identifier: Apache-2.0
// The members of etcd that the option `endpoints` names. A request goes to the member that worked last. If it cannot be
// reached, the next one gets the request, unless that could do a write twice.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

#include "transport/client.hpp"

namespace etcd {

/// A failure that etcd reports, with gRPC's code, which says more than HTTP's status.
class Refused : public omnistore::Failure {
public:
  Refused(int code, omnistore_status status, const std::string &message, omnistore::FailureDetails details)
      : Failure(status, message, details), code_(code) {}
  /// The lease that a write named has gone.
  bool lost_lease() const;
  /// The token is not valid any more; a new one is worth a try.
  bool stale_token() const;

private:
  const int code_;
};

enum class Kind { read, write };

/// Any thread.
class Cluster {
public:
  explicit Cluster(const omnistore::Options &options);
  Cluster(const Cluster &) = delete;
  Cluster &operator=(const Cluster &) = delete;

  /// Sends a request to `path`, such as "/v3/kv/txn", and returns the response's body. Throws Failure.
  std::string post(omnistore::Call call, const char *path, std::string_view body, Kind kind);

  /// Opens the stream of a watch at the member that worked last. The body must outlive it.
  std::unique_ptr<http::Stream> stream(omnistore::Call call, http::Body &body, http::Take take);
  /// Says that a stream broke off: the next one goes to another member.
  void stream_broke() { pass_over(current_.load()); }
  /// Returns the failure in a message of etcd's, `{"error": ...}` of a stream or the body of a response.
  Refused failure(std::string_view body, int http_status) const;
  /// Forgets the token if the failure says that it is stale. Returns true if it did.
  bool renew_token(const Refused &failure);

private:
  std::string once(omnistore::Call call, http::Client &client, const char *path, std::string_view body,
                   bool with_token);
  std::string token(omnistore::Call call, http::Client &client);
  void pass_over(std::size_t index);

  std::vector<std::unique_ptr<http::Client>> clients_;
  std::atomic<std::size_t> current_{0};
  const std::string user_, password_;
  std::mutex mutex_; // guards the token
  std::string token_;
};

} // namespace etcd
