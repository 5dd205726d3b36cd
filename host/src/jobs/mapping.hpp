// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jobs/endpoint.hpp"
#include "jobs/rewrite.hpp"
#include "jobs/shared_keys.hpp"

namespace omnistore::jobs {

/// Which key of the target a key of the source becomes. [any thread]
///
/// Where the ends share keys, a listing must not meet the job's own copies and copy them again, and no key may be taken
/// for its own copy. Without a rewrite no base may then hold the other. With one, a copy that lies under the source's
/// base must become itself.
class Mapping {
public:
  /// Throws Error(invalid) if the job would copy its own copies, or keys onto themselves, and as find_shared_keys().
  /// `verb` is for messages: "copy". `move`: keys are removed at the source.
  Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite, bool move);

  /// For a job that writes nothing: the ends may overlap.
  Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite);

  /// For keys that come without a base, from a dump.
  Mapping(std::string verb, const Endpoint &to, const Rewrite &rewrite);

  /// Both are whole keys. Throws Error(invalid), naming the key, where it becomes none or would be copied again.
  std::string target(std::string_view key) const;
  /// The same, and remembers which keys were given: throws Error(conflict), naming both, where two become one, as far
  /// as the first was among the last `remembered`. A key that is given again is no other.
  std::string claim(std::string_view key);

  /// Whether a key of the target is that key of the source, under the same name or another.
  bool is_itself(std::string_view source, std::string_view target) const;

  static constexpr std::size_t remembered = 256 * 1024;

private:
  std::string rewritten(std::string_view key) const;
  void refuse_overlap(const Endpoint &from, const Endpoint &to) const;
  void refuse_shared(const Endpoint &from, const Endpoint &to) const;

  const std::string verb_;
  const std::string from_, to_;
  const Rewrite rewrite_;
  std::vector<SharedKeys> shared_; ///< none: nothing is written, or no key is shared
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> claimed_; ///< target's key -> source's
  std::deque<std::string> order_;                        ///< the former's keys, the oldest first
};

} // namespace omnistore::jobs
