// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <string>

#include <omnistore/failure.hpp>

namespace cache {

namespace {

constexpr std::int64_t longest_span = 366ll * 24 * 3600 * 1000;

std::int64_t span_of(const omnistore::Options &options, const char *name, std::int64_t otherwise) {
  const std::int64_t span = options.integer(name, otherwise);
  if (span <= longest_span) return span;
  throw omnistore::Failure(OMNISTORE_INVALID,
                           std::string("option ") + name + ": at most 366d; nothing is kept for ever");
}

} // namespace

Settings::Settings(const omnistore::Options &options)
    : max_age(span_of(options, "maxAge", 60'000)), max_stale(span_of(options, "maxStale", 86'400'000)),
      stale_if_error(span_of(options, "staleIfError", 86'400'000)),
      negative_max_age(span_of(options, "negativeMaxAge", 0)), revalidate(options.boolean("revalidate", true)),
      head_only(options.boolean("headOnly", false)), retry(static_cast<unsigned>(options.integer("retry", 0))),
      refreshes(static_cast<std::size_t>(options.integer("refreshes", 4))),
      largest(static_cast<std::uint64_t>(options.integer("maxValueSize", 64 << 20))),
      coherent(options.boolean("coherent", false)), max_lag(options.integer("maxLag", 5'000)) {}

void Settings::check(const omnistore::Options &options, omnistore::Problems &problems) {
  for (const char *name : {"maxAge", "maxStale", "staleIfError", "negativeMaxAge"})
    problems.check([&] { span_of(options, name, 0); });
}

} // namespace cache
