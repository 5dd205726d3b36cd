// SPDX-License-Identifier: Apache-2.0
// Texts that no message and no line of the log shows.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "text.hpp"

namespace omnistore::config {

/// A text with "***" in place of each secret. One of less than four characters stays: without it, half of the text
/// would be black and nothing protected.
std::string without_secrets(std::string text, const std::vector<std::string> &secrets);

/// Adds every text, number and unknown name that stands in the `tokens` of a listener, also of one in a profile,
/// however wrong its form is.
void add_tokens(const Node &root, std::vector<std::string> &secrets);

/// Adds every text that the schema calls secret among a driver's options.
void add_secrets(const boost::json::object &schema, const boost::json::value &options,
                 std::vector<std::string> &secrets);

} // namespace omnistore::config
