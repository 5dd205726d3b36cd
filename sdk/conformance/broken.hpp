// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace omnistore::kit {

/// The driver broke the rule that is tested. The text describes the call, the expected result and the actual result.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The rule does not apply to this driver, or cannot be tested here. The text says why.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string &otherwise) {
  if (!holds) throw Broken(otherwise);
}

} // namespace omnistore::kit
