// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omnistore::jobs {

/// A pattern and its replacement: a Perl regular expression, and a text in which $1 to $9, ${name} and $& stand for the
/// matched parts.
using RewriteRule = std::pair<std::string, std::string>;

/// Changes keys by patterns, one rule after the other. Copies share the compiled patterns. [any thread]
class Rewrite {
public:
  Rewrite() = default;
  /// Throws Error(invalid), which names the pattern that is wrong.
  explicit Rewrite(std::vector<RewriteRule> rules);

  bool empty() const { return rules_.empty(); }
  const std::vector<RewriteRule> &rules() const { return rules_; }
  /// Returns the changed key; neither key has a base. Throws Error(invalid) if a pattern takes too long.
  std::string apply(std::string_view key) const;

private:
  struct Compiled;
  std::vector<RewriteRule> rules_;
  std::shared_ptr<const Compiled> compiled_;
};

} // namespace omnistore::jobs
