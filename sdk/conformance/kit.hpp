// SPDX-License-Identifier: Apache-2.0
//
// kit.hpp - the conformance kit, which tests every rule of the contract on a plugin file without any knowledge of the
// driver. Each rule runs in a process of its own with a time limit, so that a driver that crashes, hangs, ends the
// process or corrupts memory breaks only one rule, which the report names.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>

namespace omnistore::kit {

struct Rule;

/// The opened stores below a layer. Every entry of their tables is filled in.
class Children {
public:
  virtual ~Children() = default;
  virtual std::vector<const omnistore_store *> stores() const = 0;
};

/// The driver to test.
struct Subject {
  std::string file;           ///< the plugin's absolute path
  std::string driver{};       ///< its name; may be empty if there is only one
  std::string options = "{}"; ///< a JSON object. {folder} becomes a folder of the test, {id} a unique word
  /// Checks the options against the driver's schema and returns them with the defaults filled in. Throws std::exception
  /// with the problem. It runs in the process of a test.
  std::function<std::string(const omnistore_driver &, const std::string &options)> complete{};
  /// Returns the problem of a JSON Schema for hosts, or an empty text.
  std::function<std::string(std::string_view schema)> check_schema{};
  /// Opens at least `least` children of a layer, which keep their files in `folder`.
  std::function<std::unique_ptr<Children>(const std::string &folder, std::uint32_t least)> children{};
};

struct How {
  std::uint64_t seed = 0;
  bool longer = false;                    ///< ten times as many repeats
  unsigned jobs = 2;                      ///< rules at a time
  std::chrono::milliseconds limit{10000}; ///< the time limit of a call; a rule may take twelve times as long
  std::vector<std::string> only{};        ///< the names of the rules to test; empty for all
  bool here = false;                      ///< run exactly one rule in this process, for a debugger
};

enum class Outcome {
  kept,
  broken,  ///< `reason` has the expected and the actual result
  crashed, ///< by a signal
  hung,    ///< a call took longer than the limit, or the rule much longer
  ended,   ///< the driver ended the process
  skipped, ///< the rule does not apply to this driver
};

struct Result {
  const Rule *rule = nullptr;
  Outcome outcome = Outcome::broken;
  std::string reason{};
  std::chrono::milliseconds took{};
};

/// There is nothing to test: no such file, driver or rule, or the plugin cannot be loaded.
struct NothingToTest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Tests the rules, and calls `on_result` with each result as it comes, on the caller's thread. Returns the results in
/// the order of the rules. The process must have only one thread. Throws NothingToTest.
std::vector<Result> try_rules(const Subject &subject, const How &how,
                              const std::function<void(const Result &)> &on_result = {});

/// Returns the results as JUnit XML.
std::string junit(const Subject &subject, const std::vector<Result> &results);

std::string_view name_of(Outcome outcome);

} // namespace omnistore::kit
