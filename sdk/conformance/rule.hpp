// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>

namespace omnistore::kit {

class Bench;

/// One rule of the contract and its test.
struct Rule {
  std::string_view name; ///< words joined by '-'
  std::string_view says; ///< the sentence of driver.h, or of an extension's header, that it tests
  std::uint64_t needs;   ///< the capabilities without which it does not apply
  /// Throws Broken if the driver breaks the rule, and Skipped if the rule does not apply to it. Runs in a process of
  /// its own.
  void (*test)(Bench &);
};

/// Marks a rule that also applies to stores that take no writes. The other rules are skipped for them.
inline constexpr std::uint64_t for_readers = OMNISTORE_READS_ONLY;

/// Returns every rule, in the order of the report. They live as long as the process.
const std::vector<const Rule *> &all_rules();

std::span<const Rule> plugin_rules();    ///< rules/plugin.cpp: the file and its table
std::span<const Rule> opening_rules();   ///< rules/opening.cpp: open and close, and the resources after them
std::span<const Rule> value_rules();     ///< rules/values.cpp: get, stat, set, remove
std::span<const Rule> key_rules();       ///< rules/keys.cpp: valid keys, and the limits
std::span<const Rule> sink_rules();      ///< rules/sinks.cpp: how values go out and come in
std::span<const Rule> meta_rules();      ///< rules/meta.cpp: etags, times and the user's own meta
std::span<const Rule> ttl_rules();       ///< rules/ttl.cpp
std::span<const Rule> condition_rules(); ///< rules/conditions.cpp
std::span<const Rule> listing_rules();   ///< rules/listing.cpp: list and clear
std::span<const Rule> part_rules();      ///< rules/parts.cpp: ranges, folders and the descending order of a listing
std::span<const Rule> batch_rules();     ///< rules/batches.cpp
std::span<const Rule> watch_rules();     ///< rules/watching.cpp
std::span<const Rule> thread_rules();    ///< rules/threads.cpp
std::span<const Rule> call_rules();      ///< rules/calls.cpp: deadlines, failures, layers
std::span<const Rule> extension_rules(); ///< rules/extensions.cpp: omnistore/ext/
std::span<const Rule> border_rules();    ///< rules/border.cpp: exceptions, and the settings of the process
std::span<const Rule> kill_rules();      ///< rules/kills.cpp: durability through closes and kills
std::span<const Rule> model_rules();     ///< rules/model.cpp: random operations beside a model, and histories

} // namespace omnistore::kit
