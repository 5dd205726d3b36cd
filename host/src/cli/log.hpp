// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <omnistore/config.hpp>

#include "cli/options.hpp"

namespace omnistore::cli {

/// Sends the process's log to standard error, as text or as JSON lines. `serve` logs from the config's level on, the
/// other commands from `warn` on; -v and -q move that. Passwords in URLs and the config's tokens are masked; so is
/// what keep_secret() was told.
void start_log(const Config &config, const Global &global, bool serving = false);

/// The level that another config gives it, and the config's tokens to mask. Thread-safe.
void set_log_level(const Config &config, const Global &global, bool serving = false);

/// A text that must not stand in the log. Thread-safe.
void keep_secret(std::string secret);

} // namespace omnistore::cli
