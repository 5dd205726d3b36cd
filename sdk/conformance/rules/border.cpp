// SPDX-License-Identifier: Apache-2.0
// Exceptions do not cross the border, and a driver leaves the settings of the process alone.
#include <exception>
#include <functional>

#include "census.hpp"
#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

/// Makes calls that are valid and cannot succeed.
void no_exceptions(Bench &bench) {
  Store &store = bench.store();
  store.allow_missing_messages();
  const bool writes = !store.can(OMNISTORE_READS_ONLY);
  const auto check = [](const char *function, const std::function<void()> &call) {
    try {
      call();
    } catch (const Broken &) {
      throw;
    } catch (const Skipped &) {
    } catch (const std::exception &e) {
      throw Broken("an exception left " + std::string(function) + ": " + e.what());
    } catch (...) {
      throw Broken("an exception left " + std::string(function));
    }
  };
  const std::string key = bench.key("x"), longest(OMNISTORE_MAX_KEY_SIZE, 'k');
  if (writes) check("set", [&] { store.set(key, "value"); });
  for (const std::string &each : {key, bench.key("missing"), longest}) {
    check("get", [&] { store.get(each); });
    check("get", [&] { store.get(each, {.into = {.begin_fails = OMNISTORE_NO_SPACE}}); });
    check("get", [&] { store.get(each, {.into = {.write_fails = OMNISTORE_TIMEOUT}}); });
    check("stat", [&] { store.stat(each, OMNISTORE_GET_META); });
    if (writes) check("remove", [&] { store.remove(each); });
  }
  if (writes) check("set", [&] { store.set(longest, "value"); });
  if (writes) check("remove", [&] { store.remove(longest); });
  for (const std::string cursor : {"no cursor", "\xff", "-1"}) {
    check("list", [&] { store.try_list(bench.base(), {.cursor = cursor}); });
    check("list", [&] { store.try_list("", {.emit_fails = OMNISTORE_TIMEOUT}); });
  }
  if (writes && store.driver().clear) check("clear", [&] { store.clear(bench.key("nothing:")); });
  if (store.driver().extension) check("extension", [&] { store.extension("kit.unknown/1"); });
  if (writes && store.can(OMNISTORE_CAN_STREAM)) {
    const Pieces source{{"piece"}, 100, OMNISTORE_TIMEOUT};
    check("set", [&] { store.set(key, "", {.source = &source}); });
  }
  store.limit({0, true});
  check("get", [&] { store.get(key); });
  check("list", [&] { store.try_list(bench.base()); });
  if (writes) check("set", [&] { store.set(key, "value"); });
}

void process_is_the_hosts(Bench &bench) {
  const Census before = Census::take();
  Store &store = bench.store();
  store.get(bench.key("missing"));
  store.try_list(bench.base());
  if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("x"), "value");
  before.compare_settings("open and a few calls");
}

} // namespace

std::span<const Rule> border_rules() {
  static constexpr Rule rules[] = {
      {"no-exceptions", "Exceptions, longjmp and signals must not cross any function of this file.", for_readers,
       no_exceptions},
      {"process-unchanged", "a plugin may read but never change them", for_readers, process_is_the_hosts},
  };
  return rules;
}

} // namespace omnistore::kit
