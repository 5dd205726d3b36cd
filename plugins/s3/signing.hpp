// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4: the Authorization header of a request, and the encodings that it needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace s3 {

struct Credentials {
  std::string key_id, secret;
  std::string token; ///< of a session; empty: there is none
};

/// Names and values. Names of headers are in lower case.
using Pairs = std::vector<std::pair<std::string, std::string>>;

/// A request as it is signed.
struct Signable {
  std::string_view method;
  std::string_view path;  ///< encoded
  std::string_view query; ///< canonical_query's result
  Pairs headers;          ///< every header that is signed, with `host`, `x-amz-date` and `x-amz-content-sha256`
};

/// Percent-encodes everything but letters, digits and "-._~"; a '/' stays if `keep_slash` is true.
std::string encoded(std::string_view text, bool keep_slash = false);

/// Returns the query in the order and the encoding that are signed and sent.
std::string canonical_query(Pairs query);

std::string sha256_hex(std::string_view bytes);

/// Returns the MD5 digest in base64, as Content-MD5 carries it.
std::string md5_base64(std::string_view bytes);

/// Returns a time as x-amz-date carries it: 20130524T000000Z.
std::string amz_date(std::int64_t milliseconds);

/// Returns the value of the Authorization header.
std::string authorization(const Credentials &credentials, std::string_view region, const Signable &request);

} // namespace s3
