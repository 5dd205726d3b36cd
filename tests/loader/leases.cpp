// SPDX-License-Identifier: Apache-2.0
// How long a plugin's library stays.
#include "support.hpp"

using namespace test;

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

} // namespace

TEST_CASE("a driver keeps its library after the registry has gone") {
  const Folder folder;
  put(folder, "unloads", "leased-a");
  DriverPtr driver = Registry({{folder.path()}, {}}).find("sample");
  CHECK(is_mapped("leased-a-"));
  CHECK(answer(*driver) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("a plugin that can be unloaded goes with its last lease") {
  const Folder folder;
  put(folder, "unloads", "leased-b");
  DriverPtr driver = Registry({{folder.path()}, {}}).find("sample");
  std::shared_ptr<const void> lease = driver->lease;
  driver.reset();
  CHECK(is_mapped("leased-b-"));
  lease.reset();
#ifdef SANITIZED
  CHECK(is_mapped("leased-b-")); // reports need its names
#else
  CHECK_FALSE(is_mapped("leased-b-"));
  CHECK(answer(*Registry({{folder.path()}, {}}).find("sample")) == OMNISTORE_NOT_FOUND); // and comes again
#endif
}

TEST_CASE("a plugin that does not say that it can be unloaded stays") {
  const Folder folder;
  put(folder, "good", "leased-c");
  Registry({{folder.path()}, {}}).find("sample");
  CHECK(is_mapped("leased-c-"));
}

TEST_CASE("a plugin that was refused after its code ran stays") {
  const Folder folder;
  put(folder, "returns_null", "leased-d");
  Registry({{folder.path()}, {}}).all();
  CHECK(is_mapped("leased-d-"));
}
