// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omnistore::jobs {

/// A pattern and what stands in place of each match: a regular expression as Perl has them, and a text in which $1 to
/// $9, ${name} and $& stand for what was matched.
using RewriteRule = std::pair<std::string, std::string>;

/// Changes keys by patterns, one rule after the other. Copies share what was compiled. [any thread]
class Rewrite {
public:
  Rewrite() = default;
  /// Throws Error(invalid) naming the pattern that cannot be read.
  explicit Rewrite(std::vector<RewriteRule> rules);

  bool empty() const { return rules_.empty(); }
  const std::vector<RewriteRule> &rules() const { return rules_; }
  /// The key, which has no base in front, as it is afterwards. Throws Error(invalid) where a pattern takes too long.
  std::string apply(std::string_view key) const;

private:
  struct Compiled;
  std::vector<RewriteRule> rules_;
  std::shared_ptr<const Compiled> compiled_;
};

} // namespace omnistore::jobs
