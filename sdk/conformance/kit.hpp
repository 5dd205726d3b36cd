// SPDX-License-Identifier: Apache-2.0
//
// kit.hpp - the conformance kit: tries every rule of the contract on a plugin file that it knows nothing about. Each
// rule runs in a process of its own with a time limit, so that a driver that crashes, hangs, ends the process or
// corrupts memory breaks one rule, and the report names it.
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

/// The opened stores below a layer, whose tables have every entry filled.
class Children {
public:
  virtual ~Children() = default;
  virtual std::vector<const omnistore_store *> stores() const = 0;
};

/// What is tested.
struct Subject {
  std::string file;           ///< the plugin's absolute path
  std::string driver{};       ///< its name; empty: the only one
  std::string options = "{}"; ///< a JSON object. {folder} becomes a folder of the test's own, {id} a word of its own
  /// Fits the options to the driver's schema, with its defaults filled in, and returns them. Throws std::exception with
  /// what is wrong. Runs in the process of a test.
  std::function<std::string(const omnistore_driver &, const std::string &options)> complete{};
  /// Whether a text is a JSON Schema that hosts understand: empty, or what is wrong.
  std::function<std::string(std::string_view schema)> judge_schema{};
  /// Opens the children of a layer, `least` or more, which keep their files in `folder`.
  std::function<std::unique_ptr<Children>(const std::string &folder, std::uint32_t least)> children{};
};

struct How {
  std::uint64_t seed = 0;
  bool longer = false;                    ///< ten times as many repeats
  unsigned jobs = 2;                      ///< rules at a time
  std::chrono::milliseconds limit{10000}; ///< in which a call must end; a rule may take twelve times as long
  std::vector<std::string> only{};        ///< the names of the rules to try; empty: all
  bool here = false;                      ///< in this process, for a debugger: exactly one rule
};

enum class Outcome {
  kept,
  broken,  ///< `reason` says what was right and what came
  crashed, ///< by a signal
  hung,    ///< a call took longer than the limit, or the rule much longer
  ended,   ///< the driver ended the process
  skipped, ///< the rule says nothing about this driver
};

struct Result {
  const Rule *rule = nullptr;
  Outcome outcome = Outcome::broken;
  std::string reason{};
  std::chrono::milliseconds took{};
};

/// Thrown where there is nothing to test: no such file, driver or rule, or the plugin cannot be loaded.
struct Unfit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Tries the rules, and hands each result to `told` as it comes, on the caller's thread. Returns them in the rules'
/// order. The process must have one thread. Throws Unfit.
std::vector<Result> try_rules(const Subject &subject, const How &how,
                              const std::function<void(const Result &)> &told = {});

/// The results as JUnit's XML.
std::string junit(const Subject &subject, const std::vector<Result> &results);

std::string_view name_of(Outcome outcome);

} // namespace omnistore::kit
