// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <omnistore/config.hpp>

#include "cli/options.hpp"
#include "config/secrets.hpp"

namespace omnistore::cli {

/// Sends the process's log to standard error, as text or as JSON lines. `serve` logs from the config's level on, the
/// other commands from `warn` on; -v and -q move that. Passwords in URLs and the config's tokens are masked, and so
/// are the texts of keep_secret().
void start_log(const Config &config, const Global &global, bool serving = false);

/// Sets the level of another config, and masks its tokens. Thread-safe.
void set_log_level(const Config &config, const Global &global, bool serving = false);

/// Masks a text in the log and in messages from now on. Thread-safe.
using config::keep_secret;
/// Returns the text without those secrets and without the passwords of URLs.
std::string without_kept_secrets(std::string_view text);

} // namespace omnistore::cli
