// SPDX-License-Identifier: Apache-2.0
#include "open.hpp"

#include <algorithm>
#include <exception>
#include <string>

#include "negotiate.hpp"

namespace omnistore::loader {
namespace {

omnistore_status fail(omnistore_call *call, const std::string &message) {
  const omnistore_failure failure{sizeof failure, 0, {message.data(), message.size()}, 0, 0, 0};
  call->fail(call, &failure);
  return OMNISTORE_INTERNAL;
}

/// Runs a function of the plugin, which must not throw, and turns an exception into a status.
template <class F>
omnistore_status guarded(const Driver &driver, const char *name, omnistore_call *call, F run) {
  const std::string defect = std::string(name) + " threw an exception, a defect of the plugin " + driver.file;
  try {
    return run();
  } catch (const std::exception &error) {
    return fail(call, defect + ": " + error.what());
  } catch (...) {
    return fail(call, defect);
  }
}

} // namespace

omnistore_status call_open(const Driver &driver, const omnistore_host *host, omnistore_call *call,
                           const omnistore_open_request *request, omnistore_traits *traits, void **self) {
  const omnistore_status status =
      guarded(driver, "open", call, [&] { return driver.table.open(host, call, request, traits, self); });
  if (status == OMNISTORE_OK)
    traits->thread_model = std::max(known_thread_model(traits->thread_model), OMNISTORE_SERIALIZED);
  return status;
}

omnistore_status call_validate(const Driver &driver, omnistore_call *call, omnistore_bytes options,
                               std::uint32_t child_count, omnistore_problems *problems) {
  return guarded(driver, "validate", call, [&]() -> omnistore_status {
    if (!driver.table.extension) return OMNISTORE_OK;
    const auto *validate = static_cast<const omnistore_validate *>(driver.table.extension(nullptr, OMNISTORE_VALIDATE));
    if (!validate || validate->size < sizeof(omnistore_validate) || !validate->validate) return OMNISTORE_OK;
    return validate->validate(call, options, child_count, problems);
  });
}

} // namespace omnistore::loader
