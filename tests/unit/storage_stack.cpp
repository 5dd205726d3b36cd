// SPDX-License-Identifier: Apache-2.0
// Which layers are stacked for which drivers.
#include <memory>

#include <catch2/catch.hpp>

#include "storage/emulation/stack.hpp"

#include "storage_support.hpp"

namespace {

constexpr std::uint64_t everything =
    OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT |
    OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH |
    OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;

struct Driver {
  plain::Store store;
  omnistore::testing::BareHost host;
  omnistore::Functions functions = full();
  omnistore_traits traits{};

  omnistore::Functions full() {
    omnistore::Functions all = store.with_batches();
    all.clear.bind<&Driver::clear>(*this);
    return all;
  }
  omnistore_status clear(omnistore_call *, const omnistore_clear_request *, omnistore_page *) { return OMNISTORE_OK; }
  std::unique_ptr<omnistore::EmulationStack> stack(std::uint64_t capabilities) {
    traits.size = sizeof traits;
    traits.capabilities = capabilities;
    traits.keeps = OMNISTORE_KEEPS_NOTHING;
    traits.order = OMNISTORE_ORDER_KEYS;
    return std::make_unique<omnistore::EmulationStack>(functions, traits, 4096, host);
  }
};

} // namespace

TEST_CASE("a driver that can do everything is called without a layer between") {
  Driver driver;
  const auto stack = driver.stack(everything);
  CHECK(stack->top() == driver.functions);
  CHECK(stack->longest_value_key() == 4096);
  CHECK(!stack->locks_writes());
}

TEST_CASE("a layer stands only before the functions that it changes") {
  Driver driver;
  const auto stack = driver.stack(everything & ~std::uint64_t{OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH});
  CHECK(stack->top().get == driver.functions.get);
  CHECK(stack->top().remove == driver.functions.remove);
  CHECK(stack->top().get_many == driver.functions.get_many);
  CHECK(!(stack->top().set == driver.functions.set));
  CHECK(!(stack->top().list == driver.functions.list));
}

TEST_CASE("the host's sidecar of a value needs room for its key") {
  Driver driver;
  CHECK(driver.stack(everything & ~std::uint64_t{OMNISTORE_CAN_META})->longest_value_key() == 4095);
  CHECK(driver.stack(everything & ~std::uint64_t{OMNISTORE_CAN_TTL})->longest_value_key() == 4095);
  CHECK(driver.stack(OMNISTORE_READS_ONLY)->longest_value_key() == 4096);
}

TEST_CASE("writes are locked for expiries and for conditions that others cannot break") {
  Driver driver;
  CHECK(driver.stack(everything & ~std::uint64_t{OMNISTORE_CAN_TTL})->locks_writes());
  CHECK(driver.stack(everything & ~std::uint64_t{OMNISTORE_CAN_IF_MATCH})->locks_writes());
  CHECK(!driver.stack((everything & ~std::uint64_t{OMNISTORE_CAN_IF_MATCH}) | OMNISTORE_SHARED)->locks_writes());
}
