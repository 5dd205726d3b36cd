// SPDX-License-Identifier: Apache-2.0
// The access key and the region: from the options, the environment, or the files that AWS's programs share.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <omnistore/options.hpp>

#include "signing.hpp"

namespace s3 {

/// Returns the value of an environment variable; empty: it is not set.
using Environment = std::function<std::string(const char *name)>;

std::string from_environment(const char *name);

/// Returns the names and values in one section of an INI file; empty if there is no such file or section.
std::map<std::string, std::string> section_of(const std::string &file, const std::string &section);

/// Takes the first of: the options; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the profile in the shared file. Throws
/// Failure(OMNISTORE_INVALID) that lists the places if none has a key.
Credentials credentials_in(const omnistore::Options &options, const Environment &environment);

/// Takes the first of: the option; AWS_REGION; AWS_DEFAULT_REGION; the profile in the shared config file; us-east-1 if
/// there is an endpoint. Throws Failure(OMNISTORE_INVALID).
std::string region_in(const omnistore::Options &options, const Environment &environment);

} // namespace s3
