// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "report/host_state.hpp"

namespace omnistore::report {

/// Returns all counters in Prometheus' text format (version 0.0.4).
std::string metrics_text(const std::vector<MountStats> &mounts, const std::vector<DrainingStore> &draining,
                         const HostState &host);
/// Returns those of these stores alone.
std::string metrics_text(const std::vector<MountStats> &mounts, const std::vector<DrainingStore> &draining);

/// A label's value with '\', '"' and line ends escaped.
std::string escaped_label(std::string_view text);

} // namespace omnistore::report
