// SPDX-License-Identifier: Apache-2.0
#include "credentials.hpp"

#include <cstdlib>
#include <fstream>

#include <omnistore/failure.hpp>

namespace s3 {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string profile_in(const omnistore::Options &options, const Environment &environment) {
  if (std::string profile = options.string("profile", ""); !profile.empty()) return profile;
  const std::string profile = environment("AWS_PROFILE");
  return profile.empty() ? "default" : profile;
}

std::string shared_file(const Environment &environment, const char *variable, const char *name) {
  const std::string file = environment(variable);
  return file.empty() ? environment("HOME") + "/.aws/" + name : file;
}

} // namespace

std::string from_environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

std::map<std::string, std::string> section_of(const std::string &file, const std::string &section) {
  std::map<std::string, std::string> found;
  std::ifstream stream(file);
  bool inside = false;
  for (std::string line; std::getline(stream, line);) {
    const std::string_view text = trimmed(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') continue;
    if (text.front() == '[') {
      inside = text.back() == ']' && trimmed(text.substr(1, text.size() - 2)) == section;
      continue;
    }
    const std::size_t equals = text.find('=');
    if (inside && equals != text.npos)
      found[std::string(trimmed(text.substr(0, equals)))] = trimmed(text.substr(equals + 1));
  }
  return found;
}

Credentials credentials_in(const omnistore::Options &options, const Environment &environment) {
  Credentials found{options.string("accessKeyId", ""), options.string("secretAccessKey", ""),
                    options.string("sessionToken", "")};
  if (found.key_id.empty() != found.secret.empty())
    throw omnistore::Failure(OMNISTORE_INVALID,
                             "option accessKeyId: it and secretAccessKey are given together, or neither is");
  if (!found.key_id.empty()) return found;
  if (options.string("profile", "").empty()) {
    found = {environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"), environment("AWS_SESSION_TOKEN")};
    if (!found.key_id.empty() && !found.secret.empty()) return found;
  }
  const std::string file = shared_file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
                    profile = profile_in(options, environment);
  auto section = section_of(file, profile);
  found = {section["aws_access_key_id"], section["aws_secret_access_key"], section["aws_session_token"]};
  if (!found.key_id.empty() && !found.secret.empty()) return found;
  throw omnistore::Failure(OMNISTORE_INVALID,
                           "there is no access key: set the options accessKeyId and secretAccessKey, or the "
                           "environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or [" +
                               profile + "] in " + file);
}

std::string region_in(const omnistore::Options &options, const Environment &environment) {
  if (std::string region = options.string("region", ""); !region.empty()) return region;
  for (const char *name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (std::string region = environment(name); !region.empty()) return region;
  const std::string profile = profile_in(options, environment);
  auto section = section_of(shared_file(environment, "AWS_CONFIG_FILE", "config"),
                            profile == "default" ? profile : "profile " + profile);
  if (!section["region"].empty()) return section["region"];
  if (!options.string("endpoint", "").empty()) return "us-east-1";
  throw omnistore::Failure(OMNISTORE_INVALID,
                           "option region: it is needed without an endpoint; set it, or AWS_REGION in the environment");
}

} // namespace s3
