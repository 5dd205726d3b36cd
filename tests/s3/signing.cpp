// SPDX-License-Identifier: Apache-2.0
// The signature, against the examples that AWS publishes ("Examples: Signature Calculations in AWS Signature Version
// 4", of the API reference of Amazon S3).
#include <catch2/catch.hpp>

#include "signing.hpp"

namespace {

const s3::Credentials EXAMPLE{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr const char *EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature(const char *method, const char *path, s3::Pairs query, s3::Pairs headers,
                      const std::string &payload) {
  headers.emplace_back("host", "examplebucket.s3.amazonaws.com");
  headers.emplace_back("x-amz-date", "20130524T000000Z");
  headers.emplace_back("x-amz-content-sha256", payload);
  const std::string text = s3::canonical_query(std::move(query));
  const std::string header = s3::authorization(EXAMPLE, "us-east-1", {method, path, text, headers});
  return header.substr(header.rfind('=') + 1);
}

} // namespace

TEST_CASE("a GET of a range has the signature that AWS publishes") {
  CHECK(signature("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, EMPTY) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_CASE("a PUT has the signature that AWS publishes") {
  const s3::Pairs headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  CHECK(signature("PUT", "/test%24file.text", {}, headers, s3::sha256_hex("Welcome to Amazon S3.")) ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_CASE("a query without a value has the signature that AWS publishes") {
  CHECK(signature("GET", "/", {{"lifecycle", ""}}, {}, EMPTY) ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_CASE("a query with values has the signature that AWS publishes") {
  CHECK(signature("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, EMPTY) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("the Authorization header names the key, the scope and the headers") {
  const s3::Pairs headers = {{"x-amz-date", "20130524T000000Z"}, {"host", "h"}, {"x-amz-content-sha256", EMPTY}};
  CHECK(s3::authorization(EXAMPLE, "eu-west-1", {"GET", "/", "", headers})
            .starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/eu-west-1/s3/aws4_request,"
                         "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature="));
}

TEST_CASE("a name is encoded but for unreserved characters and its slashes") {
  CHECK(s3::encoded("a/b c~\xC3\xA9", true) == "a/b%20c~%C3%A9");
  CHECK(s3::encoded("a/b") == "a%2Fb");
}

TEST_CASE("a date has the form of x-amz-date") { CHECK(s3::amz_date(1369353600123) == "20130524T000000Z"); }
