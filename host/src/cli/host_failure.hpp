// SPDX-License-Identifier: Apache-2.0
// The failures of a running host in the words of the command that was typed.
#pragma once

#include <string>
#include <string_view>

#include "cli/admin_client.hpp"
#include "cli/failure.hpp"

namespace omnistore::cli {

/// Returns a message with the command in place of the operation that failed: "rm a: ..." for "remove a: ...".
std::string as_command(const std::string &command, const std::string &message);

/// Returns a message of the driver http, whose server is a running host, as the command reports it: the host's own
/// message if it sent one. Other messages stay as they are.
std::string as_host_message(const std::string &command, const std::string &message);

/// Returns the next step after such a failure; `message` is that of the driver.
std::string host_advice(Status status, const std::string &message);

/// Returns the next step after TLS with a host has failed; empty if the message is of something else.
std::string tls_advice(std::string_view message);

/// Returns the failure of a watch that the driver could not begin, in the driver's words; report() makes them the
/// host's.
Error watch_failure(const std::string &what, const std::string &cause);

/// Returns the failure that a response of the admin listener stands for. `what` is the command and its subject.
Failure admin_failure(const std::string &what, const AdminResponse &response);

} // namespace omnistore::cli
