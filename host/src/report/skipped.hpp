// SPDX-License-Identifier: Apache-2.0
// Writes the HTTP header X-Skipped, which names the places that a listing left out. The driver `http` reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::report {

/// The header's name.
inline constexpr std::string_view skipped_header = "X-Skipped";

/// Returns the header's value: "BASE;STATUS;MESSAGE" for each place, separated by ", ". BASE and MESSAGE are
/// percent-encoded. It has at most about 4 KiB: places beyond that are counted in one more item, whose base is empty.
std::string skipped_text(const std::vector<Skipped> &places);

} // namespace omnistore::report
