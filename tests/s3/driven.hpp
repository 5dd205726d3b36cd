// SPDX-License-Identifier: Apache-2.0
// The built s3 plugin, opened by its C table over a scripted origin.
#pragma once

#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "support/driven.hpp"
#include "support/origin.hpp"
#include "support/still_host.hpp"

namespace test {

inline const omnistore_driver &s3_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/s3.so");
  return library.driver();
}

/// A store in the bucket `bucket` of an origin. `more`: further options, as JSON members after a comma.
class Store : public Driven {
public:
  Store(Host &host, const Origin &origin, std::string_view more = "") : Driven(s3_driver()) {
    open(host, "{" + option("endpoint", origin.url()) + "," + option("bucket", "bucket") + "," +
                   option("accessKeyId", "KEYID") + "," + option("secretAccessKey", "VERYSECRET") + std::string(more) +
                   "}");
  }
};

inline Origin::Answer error(unsigned status, const std::string &code, const std::string &more = "") {
  Origin::Answer answer;
  answer.status = status;
  answer.body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>Words.</Message>" + more + "</Error>";
  return answer;
}

inline Origin::Answer xml(const std::string &body) {
  Origin::Answer answer;
  answer.body = body;
  return answer;
}

/// Returns true if the request is the one that opens a store.
inline bool is_check(const Origin::Request &request) {
  return request.target.find("max-keys=1&") != std::string::npos || request.target.ends_with("max-keys=1");
}

} // namespace test
