// SPDX-License-Identifier: Apache-2.0
// Loads the plugin file as a host does, and uses its driver.
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
  check(store.get("a") == "1", "get returns the value that was set");
  check(!store.get("b"), "a key without a value is a miss");
  check(store.keys("a:") == std::vector<std::string>{"a:b"}, "a listing gives only keys under its base");

  bool refused = false;
  try {
    store.set("c", "3");
  } catch (const StatusError &refusal) {
    refused = refusal.status == OMNISTORE_NO_SPACE;
  }
  check(refused, "a value over the capacity is refused");

  check(store.remove("a") && !store.remove("a"), "a removed value is gone");
  return failures;
}
