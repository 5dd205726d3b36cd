// SPDX-License-Identifier: Apache-2.0
// The one place through which a Node calls its driver.
#pragma once

#include <exception>
#include <mutex>
#include <string>

#include "base/in_flight.hpp"
#include "storage/call.hpp"
#include "storage/contract.hpp"
#include "storage/node.hpp"
#include "storage/node_label.hpp"

namespace omnistore {

inline constexpr omnistore_remove_request plain_remove{
    sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};

template <typename Function>
omnistore_status Node::guarded(omnistore_call *call, const char *operation, Function function) {
  const auto run = [&] {
    const base::InFlight in_flight(*label_, operation);
    return known_status(function(), faults_);
  };
  try {
    if (!serial_) return run();
    const auto lock = lock_in_time(*serial_, call);
    return lock ? run() : OMNISTORE_UNAVAILABLE;
  } catch (const std::exception &error) {
    return fail(call, OMNISTORE_INTERNAL, std::string("the driver threw: ") + error.what());
  } catch (...) {
    return fail(call, OMNISTORE_INTERNAL, "the driver threw something that is no exception");
  }
}

} // namespace omnistore
