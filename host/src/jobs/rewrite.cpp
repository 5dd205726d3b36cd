// SPDX-License-Identifier: Apache-2.0
#include "jobs/rewrite.hpp"

#include <boost/regex.hpp>

#include <omnistore/error.hpp>

namespace omnistore::jobs {

struct Rewrite::Compiled {
  std::vector<boost::regex> patterns;
};

Rewrite::Rewrite(std::vector<RewriteRule> rules) : rules_(std::move(rules)) {
  const auto compiled = std::make_shared<Compiled>();
  for (const auto &[pattern, replacement] : rules_) {
    try {
      compiled->patterns.emplace_back(pattern, boost::regex::perl);
    } catch (const boost::regex_error &error) {
      throw Error(Status::invalid, "rewrite " + pattern + ": " + error.what());
    }
  }
  compiled_ = compiled;
}

std::string Rewrite::apply(std::string_view key) const {
  std::string text(key);
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    try {
      text = boost::regex_replace(text, compiled_->patterns[i], rules_[i].second, boost::format_perl);
    } catch (const std::runtime_error &error) {
      throw Error(Status::invalid, "rewrite " + rules_[i].first + " on " + std::string(key) + ": " + error.what());
    }
  }
  return text;
}

} // namespace omnistore::jobs
