// SPDX-License-Identifier: Apache-2.0
#include "storage/driver_reports.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include <boost/json/parse.hpp>
#include <omnistore/child.hpp>

#include "storage/call.hpp"

namespace omnistore {
namespace {

/// Passes on a text of at most 64 KiB.
class ReportSink final : public PassingSink {
public:
  using PassingSink::PassingSink;

private:
  static constexpr std::uint64_t most = 64 * 1024;
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    if (meta.value_size != OMNISTORE_UNKNOWN_SIZE && meta.value_size > most) return OMNISTORE_TOO_LARGE;
    return PassingSink::on_begin(meta, buffer);
  }
  omnistore_status on_write(const void *data, std::uint64_t bytes) override {
    if (bytes > most - taken_) return OMNISTORE_TOO_LARGE;
    taken_ += bytes;
    return PassingSink::on_write(data, bytes);
  }
  std::uint64_t taken_ = 0;
};

constexpr std::size_t most_names = 32;

bool is_name(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

} // namespace

bool ReportTurn::begin(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (!await(lock, until)) return false;
  taken_ = true;
  since_ = Clock::now();
  return true;
}

void ReportTurn::end() {
  const std::lock_guard lock(mutex_);
  taken_ = false;
  ended_.notify_all(); // under the lock: the store may go when it is released
}

bool ReportTurn::over(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return await(lock, until);
}

bool ReportTurn::await(std::unique_lock<std::mutex> &lock, Clock::time_point until) {
  return ended_.wait_until(lock, taken_ ? std::min(until, since_ + DriverReports::report_time) : until,
                           [this] { return !taken_; });
}

void DriverReports::find() {
  counts_ = store_.extension<omnistore_stats>(OMNISTORE_STATS);
  if (counts_ && !OMNISTORE_HAS(omnistore_stats, counts_, stats)) counts_ = nullptr;
  explains_ = store_.extension<omnistore_explain>(OMNISTORE_EXPLAIN);
  if (explains_ && !OMNISTORE_HAS(omnistore_explain, explains_, explain)) explains_ = nullptr;
}

/// Returns the text that a driver gives into the sink of `ask`; empty: it gives none, or a call of the store holds it
/// for too long.
template <typename Ask>
std::string DriverReports::text_of(const char *operation, Ask ask) {
  ValueSink text;
  ReportSink sink(text);
  CheckedSink checked(&sink, store_.faults(), 0, UINT64_MAX);
  HostCall call(report_time);
  omnistore_status status = OMNISTORE_INTERNAL;
  try {
    store_.report(operation, [&](void *self) { status = checked.settle(ask(self, &call, &checked), &call); });
  } catch (...) { // a driver that throws has nothing that could be shown
  }
  return status == OMNISTORE_OK ? std::move(text.bytes) : std::string();
}

std::string DriverReports::explain(omnistore_bytes key) {
  return text_of("explain", [&](void *self, omnistore_call *call, omnistore_sink *sink) {
    return explains_->explain(self, call, key, sink);
  });
}

void DriverReports::ask_counters() {
  std::string text = text_of("stats", [&](void *self, omnistore_call *call, omnistore_sink *sink) {
    return counts_->stats(self, call, sink);
  });
  // A counter only rises, so it must not fall to nothing while a call holds the store.
  const std::lock_guard lock(counted_mutex_);
  if (!text.empty()) counted_ = std::move(text);
}

DriverReports::Figures DriverReports::figures() {
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
  const auto take = [&](std::string_view kind, std::vector<Figure> &into) {
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
