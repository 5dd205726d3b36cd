// SPDX-License-Identifier: Apache-2.0
// What a driver counts by itself (omnistore/ext/stats.h).
#include <boost/json/parse.hpp>

#include "storage/call.hpp"
#include "storage/node.hpp"
#include "storage/report_sink.hpp"

namespace omnistore {
namespace {

constexpr std::size_t most_names = 32;

bool is_name(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

} // namespace

std::vector<std::pair<std::string, std::uint64_t>> Node::counters() {
  std::vector<std::pair<std::string, std::uint64_t>> all;
  if (!counts_) return all;
  HostCall call;
  ReportSink sink;
  try {
    const std::unique_lock lock = serial_ ? std::unique_lock(*serial_) : std::unique_lock<std::mutex>();
    if (counts_->stats(self_, &call, &sink) != OMNISTORE_OK) return all;
  } catch (...) { // a driver that throws has nothing that could be shown
    return all;
  }
  boost::json::error_code broken;
  const boost::json::value json = boost::json::parse(sink.text, broken);
  if (broken || !json.is_object()) return all;
  for (const auto &[name, value] : json.get_object())
    if (all.size() < most_names && is_name(name) && value.is_number() && value.to_number<double>() >= 0)
      all.emplace_back(name, value.to_number<std::uint64_t>());
  return all;
}

} // namespace omnistore
