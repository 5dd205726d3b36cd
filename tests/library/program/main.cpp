// SPDX-License-Identifier: Apache-2.0
// The guide's first example: three tiers in one key space.
#include <cstdlib>
#include <iostream>

#include <omnistore/storage.hpp>

int main() {
  try {
    omnistore::Storage storage{omnistore::Config{}};
    storage.mount("memory", {.store = {.driver = "memory"}});
    storage.mount("local", {.store = {.driver = "fs", .options = R"({"base": "./.cache"})"}});
    storage.mount("shared", {.store = {.driver = "redis",
                                       .options = std::string(R"({"url": ")") + std::getenv("REDIS_URL") + R"("})"}});

    storage.set("memory:frequently-accessed", "data1");
    storage.set("local:large-dataset", "data2");
    storage.set("shared:global-config", "data3");
    for (const std::string &key : storage.keys()) std::cout << key << " " << storage.get(key).value() << "\n";
  } catch (const omnistore::Error &error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
