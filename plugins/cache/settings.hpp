// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include <omnistore/driver.hpp>
#include <omnistore/options.hpp>

namespace cache {

/// The options. All spans are in milliseconds.
struct Settings {
  explicit Settings(const omnistore::Options &options);
  static void check(const omnistore::Options &options, omnistore::Problems &problems);

  std::int64_t max_age, max_stale, stale_if_error, negative_max_age;
  bool revalidate, head_only;
  unsigned retry;
  std::size_t refreshes;
  std::uint64_t largest;
  bool coherent;
  std::int64_t max_lag;
};

} // namespace cache
