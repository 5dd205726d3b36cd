// SPDX-License-Identifier: Apache-2.0
// The operations on one value: the requests that each of them sends, and the meaning of the responses.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>

#include "transport/client.hpp"
#include "transport/reader.hpp"

namespace http {

/// The server's own abilities, as far as the options state them.
struct ServerTraits {
  bool keeps_ttl = false;
  bool is_omnistore = false; ///< it is an Omnistore host
};

/// The functions are those of driver.h. Any thread.
class Values {
public:
  Values(Client &client, const omnistore_host &host, ServerTraits server)
      : client_(client), host_(host), server_(server) {}

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink);
  /// Gets the value if its etag differs from `etag`, and sets `unchanged` if it does not (omnistore.revalidate/1).
  omnistore_status get_changed(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                               std::string_view etag, omnistore_sink &sink, bool &unchanged);
  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink);
  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result);
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request);

  /// Fails unless the server responds. Its response for the root of the base says little of the keys below it.
  omnistore_status health(omnistore::Call call);

private:
  omnistore_status read(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        const std::string &none_match, Reader &reader);
  Response look(omnistore::Call call, std::string_view key, bool wants_user = false);
  omnistore_status renew(omnistore::Call call, std::string_view key, std::int64_t expiry);
  std::string read_user(omnistore::Call call, std::string_view key, const Response &value);
  void write_user(omnistore::Call call, std::string_view key, std::string_view user);

  Client &client_;
  const omnistore_host &host_;
  const ServerTraits server_;
  /// This store has written user meta as the value `key$`, so that a set or remove of `key` must look after it.
  std::atomic<bool> wrote_user_apart_{false};
};

} // namespace http
