// SPDX-License-Identifier: Apache-2.0
// @NAME@: a layer that passes every operation to the store below it, and logs writes. Add your own code.
#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;
using Key = std::string_view;

// The capabilities that this layer has if its child has them, since the functions below pass everything down unchanged.
constexpr std::uint64_t passed_on =
    OMNISTORE_READS_ONLY | OMNISTORE_NEVER_BLOCKS | OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL |
    OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT |
    OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH |
    OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;

class Layer {
public:
  Layer(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
        std::span<const omnistore_store *const> children)
      : host_(host), child_(children[0]), log_(options.boolean("log")) {
    traits = child_.traits();
    traits.thread_model = OMNISTORE_PARALLEL; // the host locks a serialized child
    traits.capabilities &= passed_on;
  }

  omnistore_status get(Call call, Key key, const omnistore_get_request &request, omnistore_sink &sink) {
    return child_.get(call, key, request, sink);
  }
  omnistore_status stat(Call call, Key key, const omnistore_get_request &request, omnistore_sink &sink) {
    return child_.stat(call, key, request, sink);
  }
  omnistore_status set(Call call, Key key, const omnistore_set_request &request, omnistore_sink *result) {
    log_write("set", key);
    return child_.set(call, key, request, result);
  }
  omnistore_status remove(Call call, Key key, const omnistore_remove_request &request) {
    log_write("remove", key);
    return child_.remove(call, key, request);
  }
  omnistore_status touch(Call call, Key key, const omnistore_touch_request &request) {
    log_write("touch", key);
    return child_.touch(call, key, request);
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    return child_.list(call, request, page);
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    log_write("clear", omnistore::as_view(request.base));
    return child_.clear(call, request, removed);
  }

private:
  void log_write(std::string_view operation, Key key) const {
    if (!log_) return;
    const std::string line = std::string(operation) + " " + std::string(key);
    host_.log(&host_, OMNISTORE_LOG_INFO, omnistore::as_bytes(line));
  }

  const omnistore_host &host_;
  omnistore::Child child_;
  bool log_;
};

constexpr omnistore_traits traits{sizeof(omnistore_traits), OMNISTORE_PARALLEL, 0, 0, 0, 0, 0, 0, 0, 0, 0};

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Layer>("@NAME@", "0.1.0", "Logs writes", OMNISTORE_OPTIONS_SCHEMA, traits, 1, 1))
