// SPDX-License-Identifier: Apache-2.0
// A driver for tests: each of its functions waits until the call's time is up or it is cancelled, and says so. Option
// `serialized`: it takes one call at a time.
#include <algorithm>
#include <cstdint>
#include <string>

#include <unistd.h>

#include <omnistore/driver.hpp>

namespace {

using omnistore::Call;

struct Patient {
  Patient(const omnistore_host &, omnistore::Options options, omnistore_traits &traits) {
    if (options.boolean("serialized", false)) traits.thread_model = OMNISTORE_SERIALIZED;
  }

  static omnistore_status wait(Call call) {
    // Seldom, if many wait for long.
    for (unsigned pause = 1000; call.remaining() > 0; pause = std::min(pause * 2, 64'000u)) ::usleep(pause);
    return call.fail(OMNISTORE_TIMEOUT, "nothing came");
  }
  omnistore_status get(Call call, std::string_view, const omnistore_get_request &, omnistore_sink &) {
    return wait(call);
  }
  omnistore_status stat(Call call, std::string_view, const omnistore_get_request &, omnistore_sink &) {
    return wait(call);
  }
  omnistore_status set(Call call, std::string_view, const omnistore_set_request &, omnistore_sink *) {
    return wait(call);
  }
  omnistore_status remove(Call call, std::string_view, const omnistore_remove_request &) { return wait(call); }
  omnistore_status list(Call call, const omnistore_list_request &, omnistore_page &) { return wait(call); }
  omnistore_status clear(Call call, const omnistore_clear_request &, omnistore_page *) { return wait(call); }
  omnistore_status touch(Call call, std::string_view, const omnistore_touch_request &) { return wait(call); }
};

constexpr omnistore_traits traits = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG;
  t.keeps = OMNISTORE_KEEPS_NOTHING;
  return t;
}();

constexpr const char *schema = R"({"type": "object", "properties": {"serialized": {"type": "boolean"}}})";

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Patient>("patient", "1.0.0", "Waits for as long as it may", schema, traits))
