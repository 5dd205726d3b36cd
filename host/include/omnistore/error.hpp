// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace omnistore {

/// The kind of a failure, with the same numbers as in the SDK's driver.h.
enum class Status : std::int32_t {
  ok = 0,
  not_found = 10,
  invalid = 20,
  denied = 30,
  read_only = 40,
  conflict = 50,
  too_large = 60,
  unsupported = 70,
  timeout = 80,
  cancelled = 85,
  unavailable = 90,
  no_space = 100,
  io = 110,
  corrupt = 120,
  internal = 130,
};

/// Returns the name in JSON output and metrics, such as "not_found" or "read_only".
std::string_view status_name(Status status) noexcept;

/// A failed operation. what() is the whole message: operation, key, mount, driver and the cause in the backend's own
/// words, such as `get shared:user:1 (mount shared, driver redis): connect 127.0.0.1:6379: Connection refused`.
/// It holds no secrets.
class Error : public std::runtime_error {
public:
  Error(Status status, const std::string &message, std::chrono::milliseconds retry_after = {})
      : std::runtime_error(message), status_(status), retry_after_(retry_after) {}
  Status status() const noexcept { return status_; }
  /// How long to wait before a retry may work; 0 if unknown.
  std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

private:
  Status status_;
  std::chrono::milliseconds retry_after_;
};

} // namespace omnistore
