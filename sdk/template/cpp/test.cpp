// SPDX-License-Identifier: Apache-2.0
// Loads the plugin's file as a host does, and uses its driver.
#include <iostream>

#include <omnistore/testing.hpp>

namespace {

int failures = 0;

void check(bool holds, const char *what) {
  std::cout << (holds ? "ok   " : "FAIL ") << what << "\n";
  failures += holds ? 0 : 1;
}

} // namespace

int main(int, char **argv) {
  using namespace omnistore::testing;
  const Library library(argv[1]);
  BareStore store(library.driver(), R"({"capacity":2})");

  store.set("a", "1");
  store.set("a:b", "2");
  check(store.get("a") == "1", "what was set is got");
  check(!store.get("b"), "a key that was not set is a miss");
  check(store.keys("a:") == std::vector<std::string>{"a:b"}, "a listing keeps to its base");

  bool refused = false;
  try {
    store.set("c", "3");
  } catch (const Refused &refusal) {
    refused = refusal.status == OMNISTORE_NO_SPACE;
  }
  check(refused, "a value over the capacity is refused");

  check(store.remove("a") && !store.remove("a"), "what was removed is gone");
  return failures;
}
