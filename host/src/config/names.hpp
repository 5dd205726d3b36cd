// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace omnistore::config {

bool valid_utf8(std::string_view text);
std::size_t characters(std::string_view utf8);

/// A mountpoint or prefix as keys are normalised: '/' and '\' become ':', runs of ':' collapse, none is left at either
/// end. `problem` says what is wrong with it, as far as it cannot be normalised.
std::string normalise(std::string_view name, std::string &problem);

/// The text with the password of each URL in it as "***": `redis://user:***@host`.
std::string without_passwords(std::string_view text);

/// The text in double quotes for a message: without passwords, on one line, and cut where it is long.
std::string in_quotes(std::string_view text);

} // namespace omnistore::config
