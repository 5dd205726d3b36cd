// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace omnistore::config {

bool valid_utf8(std::string_view text);
std::size_t characters(std::string_view utf8);

/// Normalises a mountpoint or prefix like a key: '/' and '\' become ':', runs of ':' become one, and none is left at
/// either end. If that is not possible, `problem` says why.
std::string normalise(std::string_view name, std::string &problem);

/// Replaces the password of each URL in the text by "***": `redis://user:***@host`.
std::string without_passwords(std::string_view text);

/// Returns the text in double quotes for a message: without passwords, on one line, and shortened if it is long.
std::string in_quotes(std::string_view text);

} // namespace omnistore::config
