// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "http/line_file.hpp"
#include "http/message.hpp"

namespace omnistore::routes {

/// Writes a line of JSON for each write of a client that its token allowed, with its outcome: who wrote what, and when.
/// Thread-safe.
class AuditLog {
public:
  explicit AuditLog(http::LineFile &file) : file_(file) {}

  /// `operation` is "set", "remove", "touch", "clear", or a change of the mounts; `key` is what it is about.
  void write(const http::Request &request, std::string_view operation, std::string_view key, unsigned status);

private:
  http::LineFile &file_;
};

} // namespace omnistore::routes
