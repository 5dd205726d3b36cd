// SPDX-License-Identifier: Apache-2.0
// Batches of an Omnistore host: one POST gets, looks up, sets or removes many keys. The body and the response are JSON
// (host/README.md, "Batches"). An item that does not fit into such a request goes alone, and so do all of them if the
// server takes no batches.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>

#include "operations/values.hpp"
#include "transport/client.hpp"

namespace http {

/// One item of a batch's response.
struct BatchItem {
  int status = 0; ///< HTTP's
  std::string message;
  std::string value;
  std::string etag;
  std::uint64_t size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  bool found = true; ///< of a remove: there was a value
};

/// Reads the list `name` of a batch's response. Throws Failure(OMNISTORE_UNAVAILABLE) if the text has another form.
std::vector<BatchItem> batch_items_in(std::string_view json, std::string_view name);

/// Adds a text as a JSON string.
void append_json(std::string &out, std::string_view text);

/// The functions are those of driver.h. Any thread.
class Batches {
public:
  Batches(Client &client, Values &values, const omnistore_host &host, bool enabled)
      : client_(client), values_(values), host_(host), enabled_(enabled) {}

  void get(omnistore::Call call, std::span<const omnistore_bytes> keys,
           omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
           omnistore_status *statuses);
  void stat(omnistore::Call call, std::span<const omnistore_bytes> keys,
            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
            omnistore_status *statuses);
  void set(omnistore::Call call, std::span<const omnistore_bytes> keys,
           omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
           omnistore_status *statuses);
  void remove(omnistore::Call call, std::span<const omnistore_bytes> keys,
              omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses);

private:
  template <class Kind>
  void run(omnistore::Call call, std::size_t count, Kind kind, omnistore_status *statuses);
  std::vector<BatchItem> post(omnistore::Call call, const Request &request, const char *name, std::size_t count);
  omnistore_meta meta_of(const BatchItem &item) const;

  Client &client_;
  Values &values_;
  const omnistore_host &host_;
  std::atomic<bool> enabled_; ///< false: the server is not known to take batches
};

} // namespace http
