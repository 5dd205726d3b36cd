// SPDX-License-Identifier: Apache-2.0
#include "report/metrics_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/printable.hpp"
#include "report/describe.hpp"
#include "report/process_stats.hpp"

namespace omnistore::report {

namespace {

std::string shown(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

void family(std::string &out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n");
}

void sample(std::string &out, std::string_view name, const std::string &labels, const std::string &value) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(value).append("\n");
}

std::string labels_of(const MountStats &mount) {
  return "mount=\"" + escaped_label(mount.mountpoint) + "\",driver=\"" + escaped_label(mount.driver) + "\"";
}

struct Counter {
  std::string_view name, help;
  std::uint64_t MountStats::*value;
};
constexpr Counter counters[] = {
    {"omnistore_hits_total", "Reads that found a value.", &MountStats::hits},
    {"omnistore_misses_total", "Reads that found none.", &MountStats::misses},
    {"omnistore_read_bytes_total", "Bytes of the values that were read.", &MountStats::bytes_read},
    {"omnistore_written_bytes_total", "Bytes of the values that were written.", &MountStats::bytes_written},
    {"omnistore_evictions_total", "Values that were removed to make room.", &MountStats::evictions},
    {"omnistore_expirations_total", "Values that were removed at the end of their ttl.", &MountStats::expirations},
    {"omnistore_driver_faults_total", "Violations of the driver's contract, such as keys that were not requested.",
     &MountStats::driver_faults},
};

struct Operation {
  std::string_view name;
  std::uint64_t MountStats::*value;
};
constexpr Operation operations[] = {
    {"read", &MountStats::reads},
    {"write", &MountStats::writes},
    {"remove", &MountStats::removes},
    {"list", &MountStats::lists},
};

void histogram(std::string &out, const std::string &labels, const MountStats::Histogram &latency) {
  constexpr std::string_view name = "omnistore_operation_duration_seconds";
  const auto bounds = MountStats::latency_bounds();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < latency.counts.size(); ++i) {
    below += latency.counts[i];
    const std::string bound = i < bounds.size() ? shown(bounds[i]) : "+Inf";
    sample(out, std::string(name) + "_bucket", labels + ",le=\"" + bound + "\"", std::to_string(below));
  }
  sample(out, std::string(name) + "_sum", labels, shown(latency.sum));
  sample(out, std::string(name) + "_count", labels, std::to_string(below));
}

/// The stores below a mount's, each with its place ("0.1") as a label.
struct Layer {
  std::string labels;
  const MountStats *stats;
};
void add_layers(std::vector<Layer> &all, const MountStats &store, const std::string &mount, const std::string &place) {
  for (std::size_t i = 0; i < store.layers.size(); ++i) {
    const std::string here = place + std::to_string(i);
    all.push_back({"mount=\"" + escaped_label(mount) + "\",layer=\"" + here + "\",driver=\"" +
                       escaped_label(store.layers[i].driver) + "\"",
                   &store.layers[i]});
    add_layers(all, store.layers[i], mount, here + ".");
  }
}

constexpr Counter layer_counters[] = {
    {"omnistore_layer_hits_total", "Reads of a layer's child that found a value.", &MountStats::hits},
    {"omnistore_layer_misses_total", "Reads of a layer's child that found none.", &MountStats::misses},
    {"omnistore_layer_writes_total", "Writes to a layer's child.", &MountStats::writes},
    {"omnistore_layer_errors_total", "Operations on a layer's child that failed.", &MountStats::errors},
};

void errors_text(std::string &out, const std::vector<MountStats> &mounts) {
  family(out, "omnistore_errors_total", "counter", "Operations that failed, by the kind of failure.");
  for (const MountStats &mount : mounts)
    for (const auto &[status, count] : mount.errors_by_kind)
      sample(out, "omnistore_errors_total", labels_of(mount) + ",kind=\"" + std::string(status_name(status)) + "\"",
             std::to_string(count));
}

/// Appends the figures that drivers report. Each figure's name is the label `label`.
void driver_figures_text(std::string &out, const std::vector<MountStats> &mounts, const std::vector<Layer> &layers,
                         std::string_view name, std::string_view label,
                         std::vector<std::pair<std::string, std::uint64_t>> MountStats::*figures) {
  const auto add = [&](const std::string &labels, const MountStats &store) {
    for (const auto &[figure, value] : store.*figures)
      sample(out, name, labels + "," + std::string(label) + "=\"" + figure + "\"", std::to_string(value));
  };
  for (const MountStats &mount : mounts)
    add("mount=\"" + escaped_label(mount.mountpoint) + "\",layer=\"\",driver=\"" + escaped_label(mount.driver) + "\"",
        mount);
  for (const Layer &layer : layers) add(layer.labels, *layer.stats);
}

void drivers_text(std::string &out, const std::vector<MountStats> &mounts, const std::vector<Layer> &layers) {
  family(out, "omnistore_driver_count_total", "counter", "Events that a driver counts, such as a cache's refreshes.");
  driver_figures_text(out, mounts, layers, "omnistore_driver_count_total", "count", &MountStats::counters);
  family(out, "omnistore_driver_amount", "gauge", "Amounts that a driver reports, such as connections in use.");
  driver_figures_text(out, mounts, layers, "omnistore_driver_amount", "gauge", &MountStats::gauges);
}

/// Returns true if a store or one below it did not report its counters in time.
bool any_late(const MountStats &store) {
  return store.counters_late || std::any_of(store.layers.begin(), store.layers.end(), any_late);
}

void mounts_text(std::string &out, const std::vector<MountStats> &mounts) {
  family(out, "omnistore_operations_total", "counter", "Operations on a mount's store.");
  for (const MountStats &mount : mounts) {
    for (const Operation &operation : operations) {
      sample(out, "omnistore_operations_total", labels_of(mount) + ",operation=\"" + std::string(operation.name) + "\"",
             std::to_string(mount.*operation.value));
    }
  }
  for (const Counter &counter : counters) {
    family(out, counter.name, "counter", counter.help);
    for (const MountStats &mount : mounts)
      sample(out, counter.name, labels_of(mount), std::to_string(mount.*counter.value));
  }
  errors_text(out, mounts);
  family(out, "omnistore_in_flight", "gauge",
         "Operations under way; those of stores that never block are not counted.");
  for (const MountStats &mount : mounts)
    sample(out, "omnistore_in_flight", labels_of(mount), std::to_string(mount.in_flight));
  std::vector<Layer> layers;
  for (const MountStats &mount : mounts) add_layers(layers, mount, mount.mountpoint, {});
  for (const Counter &counter : layer_counters) {
    family(out, counter.name, "counter", counter.help);
    for (const Layer &layer : layers)
      sample(out, counter.name, layer.labels, std::to_string(layer.stats->*counter.value));
  }
  drivers_text(out, mounts, layers);
  constexpr std::string_view late = "omnistore_driver_counters_late";
  family(out, late, "gauge", "1: the driver did not say in time what it counts, and what it said last is shown.");
  for (const MountStats &mount : mounts) sample(out, late, labels_of(mount), any_late(mount) ? "1" : "0");
  family(out, "omnistore_operation_duration_seconds", "histogram",
         "How long operations took; of stores that never block, one in 64 is timed.");
  for (const MountStats &mount : mounts) {
    histogram(out, labels_of(mount) + ",operation=\"read\"", mount.read_latency);
    histogram(out, labels_of(mount) + ",operation=\"write\"", mount.write_latency);
  }
}

struct ListenerCount {
  std::string_view name, type, help;
  std::uint64_t ListenerStats::*value;
};
constexpr ListenerCount listener_counts[] = {
    {"omnistore_connections", "gauge", "Connections that are open.", &ListenerStats::open},
    {"omnistore_connections_accepted_total", "counter", "Connections that were accepted.", &ListenerStats::accepted},
    {"omnistore_connections_refused_total", "counter", "Connections over the limit.", &ListenerStats::refused},
    {"omnistore_accept_failures_total", "counter",
     "Times that no connection could be accepted, for want of descriptors.", &ListenerStats::accept_failures},
    {"omnistore_wrong_tokens_total", "counter", "Requests with a token that is not known.",
     &ListenerStats::wrong_tokens},
    {"omnistore_limited_total", "counter", "Requests and connections over the limits of one address or token.",
     &ListenerStats::limited},
    {"omnistore_connections_timed_out_total", "counter", "Connections that were closed for being idle or slow.",
     &ListenerStats::timed_out},
};

void listeners_text(std::string &out, const std::vector<ListenerStats> &listeners) {
  for (const ListenerCount &count : listener_counts) {
    family(out, count.name, count.type, count.help);
    for (const ListenerStats &listener : listeners) {
      sample(out, count.name, "listener=\"" + listener.name + "\"", std::to_string(listener.*count.value));
    }
  }
  family(out, "omnistore_certificate_end_timestamp_seconds", "gauge", "When the certificate of a listener ends.");
  for (const ListenerStats &listener : listeners)
    if (listener.certificate_end != 0)
      sample(out, "omnistore_certificate_end_timestamp_seconds", "listener=\"" + listener.name + "\"",
             std::to_string(listener.certificate_end));
  family(out, "omnistore_http_responses_total", "counter", "Answers, by the class of their status.");
  for (const ListenerStats &listener : listeners) {
    for (std::size_t i = 0; i < listener.responses.size(); ++i) {
      sample(out, "omnistore_http_responses_total",
             "listener=\"" + listener.name + "\",class=\"" + std::to_string(i + 1) + "xx\"",
             std::to_string(listener.responses[i]));
    }
  }
}

void threads_text(std::string &out, const ThreadStats &threads) {
  family(out, "omnistore_threads", "gauge", "Threads for stores that may block, by what they do.");
  sample(out, "omnistore_threads", "state=\"idle\"", std::to_string(threads.idle));
  sample(out, "omnistore_threads", "state=\"stuck\"", std::to_string(threads.stuck));
  sample(out, "omnistore_threads", "state=\"working\"",
         std::to_string(threads.threads - std::min(threads.threads, threads.idle + threads.stuck)));
  family(out, "omnistore_requests_waiting", "gauge", "Requests that wait for a thread of their store.");
  sample(out, "omnistore_requests_waiting", "", std::to_string(threads.waiting));
}

void draining_text(std::string &out, const std::vector<DrainingStore> &draining) {
  constexpr std::string_view name = "omnistore_draining_stores";
  family(out, name, "gauge", "Stores that were taken out and are not closed yet, by what they are at.");
  for (const auto state : {DrainingStore::State::opening, DrainingStore::State::in_use, DrainingStore::State::closing})
    sample(out, name, std::string("state=\"") + state_name(state) + "\"",
           std::to_string(
               std::count_if(draining.begin(), draining.end(), [&](auto &store) { return store.state == state; })));
}

void memory_text(std::string &out, const MemoryStats &memory) {
  family(out, "omnistore_request_memory_bytes", "gauge", "Memory that connections, requests and responses take.");
  sample(out, "omnistore_request_memory_bytes", "", std::to_string(memory.used));
  family(out, "omnistore_request_memory_spare_bytes", "gauge", "Memory that is kept for the next long value.");
  sample(out, "omnistore_request_memory_spare_bytes", "", std::to_string(memory.spare));
  family(out, "omnistore_request_memory_limit_bytes", "gauge", "Memory that both may take: server.maxMemory.");
  sample(out, "omnistore_request_memory_limit_bytes", "", std::to_string(memory.most));
  family(out, "omnistore_request_memory_peak_bytes", "gauge", "The most that was in use at once.");
  sample(out, "omnistore_request_memory_peak_bytes", "", std::to_string(memory.peak));
  family(out, "omnistore_request_memory_refused_total", "counter", "Times that one was refused for want of it.");
  sample(out, "omnistore_request_memory_refused_total", "", std::to_string(memory.refused));
}

void reloads_text(std::string &out, const ReloadStats &reloads) {
  family(out, "omnistore_reloads_total", "counter", "Reloads of the config, by how they ended.");
  sample(out, "omnistore_reloads_total", "result=\"done\"", std::to_string(reloads.done));
  sample(out, "omnistore_reloads_total", "result=\"failed\"", std::to_string(reloads.failed));
  family(out, "omnistore_config_last_reload_successful", "gauge", "0: the config's file cannot be taken up as it is.");
  sample(out, "omnistore_config_last_reload_successful", "", reloads.last_failed ? "0" : "1");
  family(out, "omnistore_config_last_reload_success_timestamp_seconds", "gauge",
         "When the config that holds was taken up, in Unix seconds.");
  sample(out, "omnistore_config_last_reload_success_timestamp_seconds", "",
         shown(static_cast<double>(reloads.last_done) / 1000));
}

void process_text(std::string &out) {
  const ProcessStats process = process_stats();
  family(out, "omnistore_build_info", "gauge", "1, with the build's version and compiler as labels.");
  sample(out, "omnistore_build_info",
         "version=\"" OMNISTORE_VERSION "\",compiler=\"" + escaped_label(__VERSION__) + "\"", "1");
  family(out, "process_start_time_seconds", "gauge", "When the process was started, in Unix seconds.");
  sample(out, "process_start_time_seconds", "", shown(process.start_time));
  family(out, "process_cpu_seconds_total", "counter", "User and system time that was used.");
  sample(out, "process_cpu_seconds_total", "", shown(process.cpu_seconds));
  family(out, "process_resident_memory_bytes", "gauge", "Memory in use.");
  sample(out, "process_resident_memory_bytes", "", std::to_string(process.resident_bytes));
  family(out, "process_open_fds", "gauge", "Open file descriptors.");
  sample(out, "process_open_fds", "", std::to_string(process.open_files));
}

} // namespace

std::string escaped_label(std::string_view text) {
  std::string escaped;
  for (;;) {
    const std::size_t end = text.find('\n');
    for (const char c : base::printable(text.substr(0, end))) {
      if (c == '\\' || c == '"') escaped += '\\';
      escaped += c;
    }
    if (end == std::string_view::npos) return escaped;
    escaped += "\\n"; // the format's own escape
    text.remove_prefix(end + 1);
  }
}

std::string metrics_text(const std::vector<MountStats> &mounts, const std::vector<DrainingStore> &draining) {
  std::string out;
  mounts_text(out, mounts);
  draining_text(out, draining);
  return out;
}

std::string metrics_text(const std::vector<MountStats> &mounts, const std::vector<DrainingStore> &draining,
                         const HostState &host) {
  std::string out = metrics_text(mounts, draining);
  listeners_text(out, host.listeners);
  threads_text(out, host.threads);
  memory_text(out, host.memory);
  reloads_text(out, host.reloads);
  process_text(out);
  return out;
}

} // namespace omnistore::report
