// SPDX-License-Identifier: Apache-2.0
// What a driver tells of itself: what it knows of a key (omnistore/ext/explain.h), and what it counts (ext/stats.h).
#include <chrono>
#include <mutex>
#include <thread>

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
                       }} {}
  std::string text;
};

constexpr std::size_t most_names = 32;

/// Figures do not wait for a call that hangs in a driver that takes one at a time. False: it is busy for too long.
bool lock_soon(std::mutex &mutex, std::unique_lock<std::mutex> &lock) {
  constexpr int most_tries = 20;
  constexpr std::chrono::milliseconds between{1};
  lock = std::unique_lock(mutex, std::try_to_lock);
  for (int tries = 0; !lock.owns_lock() && tries < most_tries; ++tries) {
    std::this_thread::sleep_for(between);
    static_cast<void>(lock.try_lock());
  }
  return lock.owns_lock();
}

bool is_name(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

} // namespace

/// The text that a driver gives into the sink that `ask` is called with; empty: none, or the driver is busy.
template <typename Ask>
std::string Node::report(const char *operation, Ask ask) {
  ReportSink sink;
  CheckedSink checked(&sink, faults_, 0, UINT64_MAX);
  HostCall quiet;
  try {
    std::unique_lock<std::mutex> lock;
    if (serial_ && !lock_soon(*serial_, lock)) return {};
    const base::InFlight in_flight(*label_, operation);
    if (checked.settle(ask(&checked), &quiet) == OMNISTORE_OK) return std::move(sink.text);
  } catch (...) { // a driver that throws has nothing that could be shown
  }
  return {};
}

std::string Node::explain(omnistore_call *call, omnistore_bytes key) {
  if (!explains_) return {};
  return report("explain", [&](omnistore_sink *sink) { return explains_->explain(self_, call, key, sink); });
}

std::vector<std::pair<std::string, std::uint64_t>> Node::counters() {
  std::vector<std::pair<std::string, std::uint64_t>> all;
  if (!counts_) return all;
  HostCall call;
  const std::string text = report("stats", [&](omnistore_sink *sink) { return counts_->stats(self_, &call, sink); });
  boost::json::error_code broken;
  const boost::json::value json = boost::json::parse(text, broken);
  if (broken || !json.is_object()) return all;
  for (const auto &[name, value] : json.get_object())
    if (all.size() < most_names && is_name(name) && value.is_number() && value.to_number<double>() >= 0)
      all.emplace_back(name, value.to_number<std::uint64_t>());
  return all;
}

} // namespace omnistore
