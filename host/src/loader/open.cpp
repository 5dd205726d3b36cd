// SPDX-License-Identifier: Apache-2.0
#include "open.hpp"

#include <algorithm>
#include <exception>
#include <string>

#include "negotiate.hpp"

namespace omnistore::loader {
namespace {

omnistore_status fail(omnistore_call *call, const std::string &message) {
  call->fail(call, 0, {message.data(), message.size()});
  return OMNISTORE_INTERNAL;
}

} // namespace

omnistore_status call_open(const Driver &driver, const omnistore_host *host, omnistore_call *call,
                           const omnistore_open_request *request, omnistore_traits *traits, void **self) {
  omnistore_status status = OMNISTORE_INTERNAL;
  try {
    status = driver.table.open(host, call, request, traits, self);
  } catch (const std::exception &error) {
    return fail(call, "open threw an exception, a defect of the plugin " + driver.file + ": " + error.what());
  } catch (...) {
    return fail(call, "open threw an exception, a defect of the plugin " + driver.file);
  }
  if (status == OMNISTORE_OK)
    traits->thread_model = std::max(known_thread_model(traits->thread_model), OMNISTORE_SERIALIZED);
  return status;
}

} // namespace omnistore::loader
