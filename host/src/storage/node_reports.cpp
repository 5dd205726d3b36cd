// SPDX-License-Identifier: Apache-2.0
// What a driver tells of itself: what it knows of a key (omnistore/ext/explain.h), and what it counts (ext/stats.h).
#include <algorithm>
#include <mutex>
#include <set>

#include <boost/json/parse.hpp>

#include "storage/call.hpp"
#include "storage/node.hpp"
#include "storage/node_label.hpp"

namespace omnistore {
namespace {

/// Takes what a driver tells of itself: a text of at most 64 KiB.
struct ReportSink : omnistore_sink {
  static constexpr std::uint64_t most = 64 * 1024;
  ReportSink()
      : omnistore_sink{sizeof(omnistore_sink), 0,
                       [](omnistore_sink *, const omnistore_meta *meta, void **buffer) {
                         if (buffer) *buffer = nullptr;
                         return meta->value_size != OMNISTORE_UNKNOWN_SIZE && meta->value_size > most
                                    ? OMNISTORE_TOO_LARGE
                                    : OMNISTORE_OK;
                       },
                       [](omnistore_sink *sink, const void *data, std::uint64_t count) {
                         std::string &kept = static_cast<ReportSink *>(sink)->text;
                         if (count > most - kept.size()) return OMNISTORE_TOO_LARGE;
                         kept.append(static_cast<const char *>(data), static_cast<std::size_t>(count));
                         return OMNISTORE_OK;
                       },
                       nullptr} {}
  std::string text;
};

constexpr std::size_t most_names = 32;

bool is_name(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

} // namespace

bool Node::Turn::begin(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (!await(lock, until)) return false;
  taken_ = true;
  since_ = Clock::now();
  return true;
}

void Node::Turn::end() {
  const std::lock_guard lock(mutex_);
  taken_ = false;
  ended_.notify_all(); // under the lock: the node may go when it is released
}

bool Node::Turn::over(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return await(lock, until);
}

bool Node::Turn::await(std::unique_lock<std::mutex> &lock, Clock::time_point until) {
  return ended_.wait_until(lock, taken_ ? std::min(until, since_ + report_time) : until, [this] { return !taken_; });
}

/// Returns the text that a driver gives into the sink that `ask` is called with; empty: none, or its only call is taken
/// for longer than one who looks at figures should wait.
template <typename Ask>
std::string Node::report(const char *operation, Ask ask) {
  ReportSink sink;
  CheckedSink checked(&sink, faults_, 0, UINT64_MAX);
  HostCall call(report_time);
  try {
    HostCall patience(std::chrono::milliseconds(20));
    std::unique_lock<std::timed_mutex> lock;
    if (serial_ && !(lock = lock_in_time(*serial_, &patience))) return {};
    const base::InFlight in_flight(*label_, operation);
    if (checked.settle(ask(&call, &checked), &call) == OMNISTORE_OK) return std::move(sink.text);
  } catch (...) { // a driver that throws has nothing that could be shown
  }
  return {};
}

std::string Node::explain(omnistore_bytes key) {
  return report("explain",
                [&](omnistore_call *call, omnistore_sink *sink) { return explains_->explain(self_, call, key, sink); });
}

void Node::ask_counters() {
  std::string text =
      report("stats", [&](omnistore_call *call, omnistore_sink *sink) { return counts_->stats(self_, call, sink); });
  // What only rises must not fall to nothing while a call holds the store.
  const std::lock_guard lock(counted_mutex_);
  if (!text.empty()) counted_ = std::move(text);
}

Node::Figures Node::figures() {
  Figures figures;
  if (!counts_) return figures;
  std::string text;
  {
    const std::lock_guard lock(counted_mutex_);
    text = counted_;
  }
  boost::json::error_code broken;
  const boost::json::value json = boost::json::parse(text, broken);
  if (broken || !json.is_object()) return figures;
  std::set<std::string_view> names;
  const auto take = [&](std::string_view kind, std::vector<std::pair<std::string, std::uint64_t>> &into) {
    const boost::json::value *all = json.get_object().if_contains(kind);
    if (!all || !all->is_object()) return;
    for (const auto &[name, value] : all->get_object()) {
      const bool fits = names.size() < most_names && is_name(name) && value.is_number();
      if (fits && value.to_number<double>() >= 0 && names.insert(name).second)
        into.emplace_back(name, value.to_number<std::uint64_t>());
    }
  };
  take("counters", figures.counters);
  take("gauges", figures.gauges);
  return figures;
}

} // namespace omnistore
