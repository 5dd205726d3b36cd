// SPDX-License-Identifier: Apache-2.0
// Writes and reads the HTTP field X-Skipped, which says what a listing went on without.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::base {

/// The field's name.
inline constexpr std::string_view skipped_field = "X-Skipped";

/// The field's value: "BASE;STATUS;MESSAGE" for each place, separated by ", ". BASE and MESSAGE are percent-encoded. It
/// has at most about 4 KiB: places beyond that are counted in one more item, whose base is empty.
std::string skipped_text(const std::vector<Skipped> &places);

/// The way back. An item of another form is a place without a base.
std::vector<Skipped> read_skipped(std::string_view text);

} // namespace omnistore::base
