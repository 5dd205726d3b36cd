// SPDX-License-Identifier: Apache-2.0
// The driver `null`: it keeps nothing. Every write succeeds and every read is a miss, as with /dev/null.
#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;

struct Null {
  omnistore_status get(Call, std::string_view, const omnistore_get_request &, omnistore_sink &) {
    return OMNISTORE_NOT_FOUND;
  }
  omnistore_status set(Call, std::string_view, const omnistore_set_request &request, omnistore_sink *) {
    const bool needs_a_value = request.condition == OMNISTORE_IF_PRESENT || request.condition == OMNISTORE_IF_MATCH;
    return needs_a_value ? OMNISTORE_CONFLICT : OMNISTORE_OK;
  }
  omnistore_status remove(Call, std::string_view, const omnistore_remove_request &request) {
    return request.condition == OMNISTORE_IF_MATCH ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
  }
  omnistore_status list(Call, const omnistore_list_request &, omnistore_page &) { return OMNISTORE_OK; }
  omnistore_status clear(Call, const omnistore_clear_request &, omnistore_page *) { return OMNISTORE_OK; }
  omnistore_status touch(Call, std::string_view, const omnistore_touch_request &) { return OMNISTORE_NOT_FOUND; }
};

// A store without values keeps every promise about values, so it claims all capabilities that need no work.
constexpr omnistore_traits traits{
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_PARALLEL,
    .capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META |
                    OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH |
                    OMNISTORE_CAN_RANGE | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE |
                    OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS,
    .max_key_size = 0,
    .max_value_size = 0,
    .max_batch = 0,
    .keeps = OMNISTORE_KEEPS_NO_VALUE,
    .order = OMNISTORE_ORDER_KEYS,
    .reserved = 0,
    .min_ttl = 0,
    .ttl_grain = 0,
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Null>("null", "1.0.0", "Keeps nothing", OMNISTORE_OPTIONS_SCHEMA,
                                                      traits))
