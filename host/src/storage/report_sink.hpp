// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include <omnistore/driver.h>

namespace omnistore {

/// Takes what a driver tells of itself: a text of at most 64 KiB.
struct ReportSink : omnistore_sink {
  static constexpr std::uint64_t most = 64 * 1024;
  ReportSink()
      : omnistore_sink{sizeof(omnistore_sink), 0,
                       [](omnistore_sink *, const omnistore_meta *meta, void **buffer) {
                         if (buffer) *buffer = nullptr;
                         return meta->value_size != OMNISTORE_UNKNOWN_SIZE && meta->value_size > most
                                    ? OMNISTORE_TOO_LARGE
                                    : OMNISTORE_OK;
                       },
                       [](omnistore_sink *sink, const void *data, std::uint64_t count) {
                         std::string &kept = static_cast<ReportSink *>(sink)->text;
                         if (count > most - kept.size()) return OMNISTORE_TOO_LARGE;
                         kept.append(static_cast<const char *>(data), static_cast<std::size_t>(count));
                         return OMNISTORE_OK;
                       }} {}
  std::string text;
};

} // namespace omnistore
