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

/// Maps the keys of the source to keys of the target. [any thread]
///
/// If the ends share keys, the job must not list and copy its own copies, or take a key for its own copy. Without a
/// rewrite, neither base may then contain the other. With a rewrite, a copy under the source's base must be mapped to
/// itself.
class Mapping {
public:
  /// Throws Error(invalid) if the job would copy its own copies, or keys onto themselves, and the errors of
  /// find_shared_keys(). `verb` is for messages, such as "copy". `move` says that the job removes keys at the source.
  Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite, bool move);

  /// For a job that writes nothing, so that the ends may overlap.
  Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite);

  /// For the keys of a dump, which have no base.
  Mapping(std::string verb, const Endpoint &to, const Rewrite &rewrite);

  /// Returns the target's whole key for a whole key of the source. Throws Error(invalid), which names the key, if the
  /// result is not a valid key or would be copied again.
  std::string target(std::string_view key) const;
  /// The same, and remembers the last `remembered` keys: throws Error(conflict), which names both keys, if two
  /// different ones become the same.
  std::string claim(std::string_view key);

  /// Returns true if the key of the target is the key of the source itself, under the same name or another.
  bool is_itself(std::string_view source, std::string_view target) const;

  static constexpr std::size_t remembered = 256 * 1024;

private:
  std::string rewritten(std::string_view key) const;
  void refuse_overlap(const Endpoint &from, const Endpoint &to) const;
  void refuse_shared(const Endpoint &from, const Endpoint &to) const;

  const std::string verb_;
  const std::string from_, to_;
  const Rewrite rewrite_;
  std::vector<SharedKeys> shared_; ///< empty if nothing is written or no key is shared
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> claimed_; ///< target's key to source's key
  std::deque<std::string> order_;                        ///< the keys of claimed_, the oldest first
};

} // namespace omnistore::jobs
