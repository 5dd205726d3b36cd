// SPDX-License-Identifier: Apache-2.0
#include "reading.hpp"

#include <string>

#include <omnistore/value.hpp>

#include "transport/etag.hpp"
#include "transport/reader.hpp"

namespace s3 {

Request get_request(const Bucket &bucket, std::string_view key, const omnistore_get_request &request,
                    std::string_view known) {
  Request get{"GET", bucket.name_of(key)};
  if (request.offset != 0 || request.length != UINT64_MAX) {
    const bool to_the_end = request.length >= UINT64_MAX - request.offset;
    get.headers.emplace_back("range", "bytes=" + std::to_string(request.offset) + "-" +
                                          (to_the_end ? "" : std::to_string(request.offset + request.length - 1)));
  }
  if (const std::string header = http::header_of(known); !header.empty())
    get.headers.emplace_back("if-none-match", header);
  return get;
}

omnistore_status get_changed(Bucket &bucket, omnistore::Call call, std::string_view key,
                             const omnistore_get_request &request, std::string_view known, omnistore_sink &sink,
                             bool &unchanged) {
  if (request.length == 0) return stat(bucket, call, key, request, sink);
  http::Reader reader(bucket.host(), request, sink, known);
  const http::Response response =
      bucket.send(call, get_request(bucket, key, request, known),
                  [&reader](const http::Response &head, std::string_view piece) { return reader.take(head, piece); });
  if (response.gone()) return OMNISTORE_NOT_FOUND;
  if (response.status == 416) return stat(bucket, call, key, request, sink); // the range begins at or after the end
  const omnistore_status status = reader.finish(response);
  unchanged = reader.unchanged();
  return status;
}

omnistore_status stat(Bucket &bucket, omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                      omnistore_sink &sink) {
  return give_meta(bucket, bucket.send(call, {"HEAD", bucket.name_of(key)}), request, sink);
}

omnistore_status give_meta(const Bucket &bucket, const http::Response &response, const omnistore_get_request &request,
                           omnistore_sink &sink) {
  if (response.gone()) return OMNISTORE_NOT_FOUND;
  std::string etag;
  omnistore_meta meta = http::meta_of(response, bucket.host(), etag);
  if (!(request.flags & OMNISTORE_GET_META)) meta.etag = {};
  return omnistore::give(sink, meta);
}

} // namespace s3
