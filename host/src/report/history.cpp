// SPDX-License-Identifier: Apache-2.0
#include "report/history.hpp"

#include <algorithm>
#include <utility>

#include <boost/json/array.hpp>

namespace omnistore::report {

namespace json = boost::json;

namespace {

void add_counts(MountStats::Histogram &to, const MountStats::Histogram &from) {
  if (to.counts.size() < from.counts.size()) to.counts.resize(from.counts.size());
  for (std::size_t i = 0; i < from.counts.size(); ++i) to.counts[i] += from.counts[i];
  to.count += from.count;
}

/// The evictions of a store and of the layers below it: a cache evicts in its lower store.
std::uint64_t evictions_of(const MountStats &store) {
  std::uint64_t sum = store.evictions;
  for (const MountStats &layer : store.layers) sum += evictions_of(layer);
  return sum;
}

} // namespace

History::Totals History::totals_of(const MountStats &mount) {
  Totals totals{mount.reads + mount.writes + mount.removes + mount.lists,
                mount.reads,
                mount.hits,
                mount.errors,
                evictions_of(mount),
                {}};
  add_counts(totals.latency, mount.read_latency);
  add_counts(totals.latency, mount.write_latency);
  return totals;
}

void History::add(Ring &ring, std::int64_t time, float seconds, Totals now) {
  Totals last = std::exchange(ring.last, now);
  if (now.operations < last.operations || now.errors < last.errors || now.evictions < last.evictions ||
      now.latency.count < last.latency.count)
    last = {};
  const auto rate = [&](std::uint64_t Totals::*counter) {
    return static_cast<float>(now.*counter - last.*counter) / seconds;
  };
  Sample sample{time, rate(&Totals::operations), -1, -1, -1, rate(&Totals::errors), rate(&Totals::evictions)};
  if (now.reads > last.reads && now.hits >= last.hits)
    sample.hit_rate = static_cast<float>(now.hits - last.hits) / static_cast<float>(now.reads - last.reads);
  MountStats::Histogram &timed = now.latency;
  for (std::size_t i = 0; i < last.latency.counts.size() && i < timed.counts.size(); ++i)
    timed.counts[i] -= std::min(timed.counts[i], last.latency.counts[i]);
  timed.count -= last.latency.count;
  if (timed.count > 0) {
    sample.p50 = static_cast<float>(timed.quantile(0.5));
    sample.p99 = static_cast<float>(timed.quantile(0.99));
  }
  ring.samples[ring.next] = sample;
  ring.next = (ring.next + 1) % length;
  ring.count = std::min(ring.count + 1, length);
}

void History::add(std::int64_t time, const std::vector<MountStats> &mounts) {
  const std::lock_guard lock(mutex_);
  const std::int64_t since = std::exchange(last_time_, time);
  if (since == 0 || time <= since) return;
  const float seconds = static_cast<float>(time - since) / 1000;
  std::erase_if(rings_, [&](const auto &ring) {
    return std::none_of(mounts.begin(), mounts.end(),
                        [&](const MountStats &mount) { return mount.mountpoint == ring.first; });
  });
  for (const MountStats &mount : mounts) {
    if (rings_.size() >= most_mounts && !rings_.contains(mount.mountpoint)) continue;
    add(rings_[mount.mountpoint], time, seconds, totals_of(mount));
  }
}

json::object History::describe(const std::function<bool(const std::string &)> &shows) const {
  json::array mounts;
  const std::lock_guard lock(mutex_);
  for (const auto &[mountpoint, ring] : rings_) {
    if (!shows(mountpoint)) continue;
    json::array time, rate, hit_rate, p50, p99, errors, evictions;
    for (std::size_t i = 0; i < ring.count; ++i) {
      const Sample &sample = ring.samples[(ring.next + length - ring.count + i) % length];
      const auto known = [](float value) { return value < 0 ? json::value() : json::value(value); };
      time.emplace_back(sample.time);
      rate.emplace_back(sample.rate);
      hit_rate.push_back(known(sample.hit_rate));
      p50.push_back(known(sample.p50));
      p99.push_back(known(sample.p99));
      errors.emplace_back(sample.errors);
      evictions.emplace_back(sample.evictions);
    }
    mounts.push_back(json::object{{"mountpoint", mountpoint},
                                  {"time", std::move(time)},
                                  {"rate", std::move(rate)},
                                  {"hit_rate", std::move(hit_rate)},
                                  {"p50", std::move(p50)},
                                  {"p99", std::move(p99)},
                                  {"errors", std::move(errors)},
                                  {"evictions", std::move(evictions)}});
  }
  return {{"interval", interval.count()}, {"length", length}, {"mounts", std::move(mounts)}};
}

} // namespace omnistore::report
