// SPDX-License-Identifier: Apache-2.0
// Keys as text that a person can read, and that a program reads back as the same key.
#pragma once

#include <string>
#include <string_view>

namespace omnistore::base {

/// Returns the key as commands print it. A key that can be mistaken for nothing else stands as it is. Any other becomes
/// a JSON string, in which every control and every invisible character is an escape: a key that begins with '"' or '{',
/// that begins or ends with a space, or that holds characters which act on a terminal or cannot be seen there. So no
/// two keys have the same text, each is one line, and `--from` reads it back. Thread-safe.
std::string key_text(std::string_view key);

} // namespace omnistore::base
