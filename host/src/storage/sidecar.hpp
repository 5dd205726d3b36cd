// SPDX-License-Identifier: Apache-2.0
// The JSON object under `key$`: the user's meta, and the expiry where the host keeps it for a driver that cannot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace omnistore {

/// Its `expiry` in Unix milliseconds; 0 where it has none or is no JSON object.
std::int64_t sidecar_expiry(std::string_view text);

/// The same object with another expiry (0: without); empty where nothing is left in it. What is no JSON object is
/// replaced where there is an expiry to keep, and left as it is where there is none.
std::string with_expiry(std::string_view text, std::int64_t expiry);

} // namespace omnistore
