// SPDX-License-Identifier: Apache-2.0
// Secrets, which messages and the log never show.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "text.hpp"

namespace omnistore::config {

/// Replaces each secret in a text by "***". Secrets that overlap in the text become one "***", so that no part of
/// either stays. A secret of less than four characters is not replaced, since that would hide much of the text and
/// protect nothing.
std::string without_secrets(std::string text, const std::vector<std::string> &secrets);

/// Keeps a secret of this process for without_kept(), such as the text of a file in a config. Thread-safe.
void keep_secret(std::string secret);
/// Replaces each secret that was kept. Thread-safe.
std::string without_kept(std::string text);

/// Returns true if a text of a config contains the text of a file: "${file:PATH}" or "${credential:NAME}".
bool contains_file(std::string_view written);

/// Adds every text, number and unknown name in the `tokens` of a listener, even of one in a profile or of malformed
/// tokens.
void add_tokens(const TextNode &root, std::vector<std::string> &secrets);

/// Adds every text in a driver's options that the schema marks secret.
void add_secrets(const boost::json::object &schema, const boost::json::value &options,
                 std::vector<std::string> &secrets);

} // namespace omnistore::config
