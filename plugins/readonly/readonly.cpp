// SPDX-License-Identifier: Apache-2.0
// The layer `readonly`: refuses every write to the store below it.
#include <omnistore/driver.hpp>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;

class ReadOnly : public omnistore::Forward<ReadOnly> {
public:
  ReadOnly(const omnistore_host &, const omnistore::Options &, omnistore_traits &mine,
           std::span<const omnistore_store *const> children)
      : Forward(children[0], mine, ~writing) {
    mine.capabilities |= OMNISTORE_READS_ONLY;
  }

  template <class Run>
  omnistore_status around(const omnistore::Step &step, Call call, Run run) {
    if (!omnistore::writes(step.operation)) return run(call);
    return call.fail(OMNISTORE_READ_ONLY, "the layer readonly takes no writes", omnistore::nothing_done);
  }

private:
  /// The capabilities that concern writes alone.
  static constexpr std::uint64_t writing =
      OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_STREAM;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits t = omnistore::forward_traits;
  t.capabilities = OMNISTORE_READS_ONLY;
  return t;
}();

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<ReadOnly>("readonly", "1.0.0", "Refuses every write",
                                                          OMNISTORE_OPTIONS_SCHEMA, traits, 1, 1))
