// SPDX-License-Identifier: Apache-2.0
// The places of credentials and their order.
#include <map>
#include <string>

#include <catch2/catch.hpp>

#include <omnistore/failure.hpp>

#include "credentials.hpp"
#include "support/temporary.hpp"

namespace {

struct Places {
  test::Folder folder;
  std::map<std::string, std::string> variables;

  Places() {
    test::write_file(folder / "credentials", "# a comment\n[default]\naws_access_key_id = file\n"
                                             "aws_secret_access_key=secret\n\n[other]\naws_access_key_id=other\n"
                                             "aws_secret_access_key = two\naws_session_token = token\n");
    test::write_file(folder / "config", "[profile other]\nregion = eu-north-1\n");
    variables["AWS_SHARED_CREDENTIALS_FILE"] = folder / "credentials";
    variables["AWS_CONFIG_FILE"] = folder / "config";
  }
  s3::Credentials credentials(const std::string &options) {
    return s3::credentials_in(omnistore::Options(options), [this](const char *name) { return variables[name]; });
  }
  std::string region(const std::string &options) {
    return s3::region_in(omnistore::Options(options), [this](const char *name) { return variables[name]; });
  }
};

} // namespace

TEST_CASE("the options' access key comes before the environment's") {
  Places places;
  places.variables["AWS_ACCESS_KEY_ID"] = "environment";
  places.variables["AWS_SECRET_ACCESS_KEY"] = "secret";
  CHECK(places.credentials(R"({"accessKeyId": "option", "secretAccessKey": "s"})").key_id == "option");
  CHECK(places.credentials("{}").key_id == "environment");
}

TEST_CASE("the environment's access key brings its session token") {
  Places places;
  places.variables = {{"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}, {"AWS_SESSION_TOKEN", "c"}};
  CHECK(places.credentials("{}").token == "c");
}

TEST_CASE("a profile of the shared file is the last place") {
  Places places;
  CHECK(places.credentials("{}").key_id == "file");
  places.variables["AWS_PROFILE"] = "other";
  CHECK(places.credentials("{}").secret == "two");
  CHECK(places.credentials("{}").token == "token");
}

TEST_CASE("a profile of the options comes before the environment's access key") {
  Places places;
  places.variables["AWS_ACCESS_KEY_ID"] = "environment";
  places.variables["AWS_SECRET_ACCESS_KEY"] = "secret";
  CHECK(places.credentials(R"({"profile": "other"})").key_id == "other");
}

TEST_CASE("without an access key the message names the places") {
  Places places;
  places.variables["AWS_PROFILE"] = "nobody";
  CHECK_THROWS_WITH(places.credentials("{}"), Catch::Contains("AWS_ACCESS_KEY_ID") && Catch::Contains("[nobody]"));
}

TEST_CASE("half of an access key is refused without its secret") {
  Places places;
  CHECK_THROWS_WITH(places.credentials(R"({"secretAccessKey": "hidden"})"),
                    Catch::Contains("accessKeyId") && !Catch::Contains("hidden"));
}

TEST_CASE("the region comes from the option, the environment, the profile, or is the default of an endpoint") {
  Places places;
  CHECK(places.region(R"({"endpoint": "http://localhost"})") == "us-east-1");
  CHECK_THROWS_WITH(places.region("{}"), Catch::Contains("AWS_REGION"));
  CHECK(places.region(R"({"profile": "other"})") == "eu-north-1");
  places.variables["AWS_REGION"] = "eu-west-1";
  CHECK(places.region("{}") == "eu-west-1");
  CHECK(places.region(R"({"region": "us-west-2"})") == "us-west-2");
}
