// SPDX-License-Identifier: Apache-2.0
// Operations as etcd's gateway takes them, in JSON. A condition is a transaction of its own, which compares and then
// writes, so that one request does both, and so that many of them fit into one transaction as a batch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>

#include "json.hpp"
#include "record.hpp"

namespace etcd {

/// Most operations of one transaction. etcd's own limit is 128 (--max-txn-ops) for a transaction with all that is
/// nested in it, of which a condition takes up to four.
constexpr std::size_t MOST_OPERATIONS = 100;

std::string put(std::string_view key, std::string_view text, std::int64_t lease);
std::string remove(std::string_view key);
std::string range(std::string_view key);
/// An operation that does nothing. Its response has `succeeded` if the key's record has expired.
std::string check_expired(std::string_view key, std::int64_t now);

/// Returns the operation that does `action` if the condition holds, with expired values counted as absent. `revision`
/// is for OMNISTORE_IF_MATCH.
std::string conditional(std::string_view key, const std::string &action, std::uint32_t condition, std::int64_t revision,
                        std::int64_t now);
/// Returns the operation that does `action` if the key was last written at this revision, and else reads the key.
std::string at_revision(std::string_view key, const std::string &action, std::int64_t revision);

/// Returns the body of a transaction.
std::string transaction(const std::vector<std::string> &operations);

/// Returns the value in the response to a range.
Found found_in(const Json &range_response);

/// The outcome of a conditional write.
struct Outcome {
  bool done = false;
  Found found; ///< what the key had instead, if the response says so
};
Outcome outcome_of(const Json &response);

/// Returns the least text that is greater than all that begin with the prefix; "\0" stands for no end, as in etcd.
std::string end_of(std::string_view prefix);

} // namespace etcd
