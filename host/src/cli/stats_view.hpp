// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "cli/output.hpp"

namespace omnistore::cli {

/// The admin listener's /stats as people read it.
class StatsView {
public:
  explicit StatsView(boost::json::object answer) : now_(std::move(answer)) {}

  /// Prints the counters since the stores were opened.
  void print_totals(Output &out) const;
  /// Prints the rates per second since `before`, the busiest mounts first, in at most so many lines.
  void print_rates(Output &out, const StatsView &before, std::size_t lines) const;
  /// A line on the process and its listeners, since `before`.
  std::string headline(const StatsView &before) const;

  const boost::json::object &json() const { return now_; }

private:
  double seconds_since(const StatsView &before) const;

  boost::json::object now_;
};

} // namespace omnistore::cli
