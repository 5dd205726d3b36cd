// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include <omnistore/driver.h>

namespace omnistore {

/// What a driver throws to fail an operation: the border turns it into its status and message. The message is the cause
/// in the backend's own words, without the key, the operation and a full stop; it holds no secret.
class Failure : public std::runtime_error {
public:
  Failure(omnistore_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
  omnistore_status status() const noexcept { return status_; }

private:
  omnistore_status status_;
};

} // namespace omnistore
