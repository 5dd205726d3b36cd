// SPDX-License-Identifier: Apache-2.0
#include "cli/stats_view.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include <boost/json/array.hpp>

#include "cli/json_fields.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;
using Rows = std::vector<std::vector<std::string>>;

std::string formatted(const char *format, double value) {
  std::array<char, 32> room;
  return {room.data(), static_cast<std::size_t>(std::snprintf(room.data(), room.size(), format, value))};
}

std::string scaled(double value, double step, std::initializer_list<const char *> units) {
  auto unit = units.begin();
  while (value >= step && unit + 1 != units.end()) value /= step, ++unit;
  const bool whole = unit == units.begin() || value >= 100;
  return formatted(whole ? "%.0f" : "%.1f", value) + *unit;
}
std::string count_text(double count) {
  return count < 100'000 ? formatted("%.0f", count) : scaled(count, 1000, {"", "k", "M", "G", "T"});
}
std::string shown_bytes(double bytes) { return size_text(static_cast<std::uint64_t>(bytes)); }

std::string time_shown(double seconds) {
  if (seconds <= 0) return "-";
  if (seconds < 1e-3) return formatted("%.1fus", seconds * 1e6);
  if (seconds < 1) return formatted("%.1fms", seconds * 1e3);
  return formatted("%.1fs", seconds);
}

std::string percent(double part_of, double whole) {
  return whole <= 0 ? "-" : formatted("%.1f%%", 100 * part_of / whole);
}

/// A mount's store or one below it, and the same store in an earlier look, or null if it did not exist.
struct Line {
  std::string name;
  const json::object *now, *before;

  double value(std::string_view field) const { return number(*now, field); }
  double change(std::string_view field) const {
    return std::max(0.0, value(field) - (before ? number(*before, field) : 0));
  }
  double operations() const { return change("reads") + change("writes") + change("removes") + change("lists"); }
};

void add_lines(std::vector<Line> &lines, const json::object &now, const json::object *before, const std::string &name,
               const std::string &indent) {
  lines.push_back({name, &now, before});
  const json::array &layers = array_in(now, "layers");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const json::array &old = before ? array_in(*before, "layers") : json::array();
    add_lines(lines, layers[i].get_object(),
              before && i < old.size() ? &array_in(*before, "layers")[i].get_object() : nullptr,
              indent + (i + 1 == layers.size() ? "└─ " : "├─ ") + std::to_string(i),
              indent + (i + 1 == layers.size() ? "   " : "│  "));
  }
}

const json::object *mount_in(const json::object &answer, const std::string &mountpoint, const std::string &driver) {
  for (const json::value &mount : array_in(answer, "mounts"))
    if (text(mount.get_object(), "mountpoint") == mountpoint && text(mount.get_object(), "driver") == driver)
      return &mount.get_object();
  return nullptr;
}

/// The mounts with what lies below each.
std::vector<Line> lines_of(const json::object &now, const json::object &before, bool busiest_first) {
  std::vector<std::vector<Line>> groups;
  for (const json::value &value : array_in(now, "mounts")) {
    const json::object &mount = value.get_object();
    const std::string point = text(mount, "mountpoint");
    add_lines(groups.emplace_back(), mount, mount_in(before, point, text(mount, "driver")),
              point.empty() ? "(root)" : point + ":", "");
  }
  if (busiest_first)
    std::stable_sort(groups.begin(), groups.end(),
                     [](const auto &a, const auto &b) { return a[0].operations() > b[0].operations(); });
  std::vector<Line> lines;
  for (auto &group : groups) lines.insert(lines.end(), group.begin(), group.end());
  return lines;
}

/// Refreshes of a store and of all below it.
double refreshes(const json::object &store) {
  double sum = number(object_in(store, "counters"), "refreshes");
  for (const json::value &layer : array_in(store, "layers")) sum += refreshes(layer.get_object());
  return sum;
}

/// The time that a part of the operations between two looks did not exceed.
double quantile(const json::object &now, const json::object *before, const char *kind, double wanted_part) {
  const json::array &counts = array_in(object_in(now, kind), "counts"),
                    &bounds = array_in(object_in(now, kind), "bounds");
  MountStats::Histogram between;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const json::array &old = before ? array_in(object_in(*before, kind), "counts") : json::array();
    const double had =
        before && i < old.size() ? array_in(object_in(*before, kind), "counts")[i].to_number<double>() : 0;
    between.counts.push_back(static_cast<std::uint64_t>(std::max(0.0, counts[i].to_number<double>() - had)));
    between.count += between.counts.back();
  }
  // A host of another version may have other buckets.
  return bounds.size() == MountStats::latency_bounds().size() && counts.size() == bounds.size() + 1
             ? between.quantile(wanted_part)
             : number(object_in(now, kind), "p99");
}

} // namespace

void StatsView::print_totals(Output &out) const {
  Rows rows{{"MOUNT", "DRIVER", "READS", "HITS", "HIT RATE", "WRITES", "REMOVES", "ERRORS", "READ", "WRITTEN",
             "EVICTED", "EXPIRED", "REFRESHED", "IN FLIGHT", "READ P50", "P99", "WRITE P50", "P99"}};
  std::vector<std::string> errors, late;
  for (const Line &line : lines_of(now_, now_, false)) {
    const json::object &reads = object_in(*line.now, "read_latency"), &writes = object_in(*line.now, "write_latency");
    rows.push_back(
        {line.name, text(*line.now, "driver"), count_text(line.value("reads")), count_text(line.value("hits")),
         percent(line.value("hits"), line.value("reads")), count_text(line.value("writes")),
         count_text(line.value("removes")), count_text(line.value("errors")), shown_bytes(line.value("bytes_read")),
         shown_bytes(line.value("bytes_written")), count_text(line.value("evictions")),
         count_text(line.value("expirations")), count_text(refreshes(*line.now)), count_text(line.value("in_flight")),
         time_shown(number(reads, "p50")), time_shown(number(reads, "p99")), time_shown(number(writes, "p50")),
         time_shown(number(writes, "p99"))});
    std::string kinds;
    for (const auto &[kind, count] : object_in(*line.now, "errors_by_kind"))
      kinds += (kinds.empty() ? "" : ", ") + count_text(count.to_number<double>()) + " " + std::string(kind);
    if (!kinds.empty()) errors.push_back("errors of " + line.name + " " + kinds);
    if (line.now->contains("counters_late")) late.push_back(line.name);
  }
  print_table(out, rows);
  for (const std::string &line : errors) out.line(line);
  for (const std::string &name : late) out.line(name + " did not say in time what its driver counts");
  const json::array &draining = array_in(now_, "draining");
  for (const json::value &lane : array_in(object_in(now_, "threads"), "lanes")) {
    const double stuck = number(lane.get_object(), "stuck"), store = number(lane.get_object(), "store");
    if (stuck == 0) continue;
    const bool drains = std::any_of(draining.begin(), draining.end(), [&](const json::value &old) {
      return store != 0 && number(old.get_object(), "store") == store;
    });
    out.line("threads that hang in " + text(lane.get_object(), "lane") +
             (drains ? ", in a store that drains: " : ": ") + count_text(stuck));
  }
}

double StatsView::seconds_since(const StatsView &before) const {
  return std::max(0.001, (number(now_, "time") - number(before.now_, "time")) / 1000);
}

void StatsView::print_rates(Output &out, const StatsView &before, std::size_t lines) const {
  Rows rows{{"MOUNT", "DRIVER", "READS/S", "HIT RATE", "WRITES/S", "ERRORS/S", "READ/S", "WRITTEN/S", "IN FLIGHT",
             "READ P99", "WRITE P99"}};
  const double seconds = seconds_since(before);
  for (const Line &line : lines_of(now_, before.now_, true)) {
    if (rows.size() > lines) break;
    const auto rate = [&](std::string_view field) { return line.change(field) / seconds; };
    rows.push_back({line.name, text(*line.now, "driver"), count_text(rate("reads")),
                    percent(line.change("hits"), line.change("reads")), count_text(rate("writes") + rate("removes")),
                    count_text(rate("errors")), shown_bytes(rate("bytes_read")), shown_bytes(rate("bytes_written")),
                    count_text(line.value("in_flight")),
                    time_shown(quantile(*line.now, line.before, "read_latency", 0.99)),
                    time_shown(quantile(*line.now, line.before, "write_latency", 0.99))});
  }
  print_table(out, rows);
}

std::string StatsView::headline(const StatsView &before) const {
  const json::object &process = object_in(now_, "process"), &old = object_in(before.now_, "process");
  const double seconds = seconds_since(before);
  double connections = 0, answers = 0;
  const auto count = [](const json::object &answer, double &open, double &all) {
    for (const json::value &listener : array_in(answer, "listeners")) {
      open += number(listener.get_object(), "connections");
      for (const auto &[name, responses] : object_in(listener.get_object(), "responses"))
        all += responses.to_number<double>();
    }
  };
  double ignored = 0, answers_before = 0;
  count(now_, connections, answers);
  count(before.now_, ignored, answers_before);
  return "processor " + percent(number(process, "cpu_seconds") - number(old, "cpu_seconds"), seconds) + "   memory " +
         shown_bytes(number(process, "resident_bytes")) + "   connections " + count_text(connections) +
         "   responses " + count_text((answers - answers_before) / seconds) + "/s";
}

} // namespace omnistore::cli
