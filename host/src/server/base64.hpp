// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace omnistore::server {

/// As RFC 4648 has it, with padding.
std::string to_base64(std::string_view bytes);
/// nullopt: it is not such a text. The padding may be left out.
std::optional<std::string> from_base64(std::string_view text);

} // namespace omnistore::server
