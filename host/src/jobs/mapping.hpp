// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "jobs/endpoint.hpp"
#include "jobs/rewrite.hpp"

namespace omnistore::jobs {

/// Which key of the target a key of the source becomes. [any thread]
///
/// Where both ends lie in one storage, a listing must not meet the job's own copies and copy them again. Without a
/// rewrite no base may then hold the other. With one, a copy that lies under the source's base must become itself.
class Mapping {
public:
  enum class Overlap { refused, allowed };

  /// Throws Error(invalid) where the job would chase its own copies; a job that writes nothing is allowed to overlap.
  /// `verb` is for messages: "copy".
  Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite,
          Overlap overlap = Overlap::refused);

  /// For keys that come without a base, from a dump.
  Mapping(std::string verb, const Endpoint &to, const Rewrite &rewrite);

  /// Both are whole keys. Throws Error(invalid), naming the key, where it becomes none or would be copied again.
  std::string target(std::string_view key) const;
  /// The same, and remembers which keys were given: throws Error(conflict), naming both, where two become one, as far
  /// as the first was among the last `remembered`. A key that is given again is no other.
  std::string claim(std::string_view key);

  static constexpr std::size_t remembered = 256 * 1024;

private:
  std::string rewritten(std::string_view key) const;

  const std::string verb_;
  const std::string from_, to_;
  const Rewrite rewrite_;
  const bool guarded_; ///< both ends lie in one storage, and are written
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> claimed_; ///< target's key -> source's
  std::deque<std::string> order_;                        ///< the former's keys, the oldest first
};

} // namespace omnistore::jobs
