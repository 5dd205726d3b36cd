// SPDX-License-Identifier: Apache-2.0
// How a failed command ends: its exit code and its message.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <omnistore/error.hpp>
#include <omnistore/storage.hpp>

#include "cli/options.hpp"

namespace omnistore::cli {

/// An Error with a better next step than its status alone suggests.
class Failure : public Error {
public:
  Failure(Status status, const std::string &message, std::string next)
      : Error(status, message), next_(std::move(next)) {}
  const std::string &next() const noexcept { return next_; }

private:
  std::string next_;
};

/// The reader of standard output has closed it, as `head` does: nothing is wrong.
struct ClosedPipe {};
constexpr int closed_pipe_code = 141; ///< what a shell shows for a program that SIGPIPE ended

int exit_code(Status status) noexcept;

/// Returns the next step after a failure, by its status and its message; it may be empty. `remote`: it happened in a
/// running host.
std::string advice_on(Status status, const std::string &message, bool remote);

/// Writes what went wrong and the next step to standard error: text, or one JSON object. Returns the exit code.
int report(const Global &global, const std::exception &failure);

/// Reports on standard error the places that a listing left out, each once. For one thread.
class SkippedPlaces {
public:
  explicit SkippedPlaces(const Global &global) : global_(global) {}
  void tell(const std::vector<Skipped> &places);
  /// Returns the exit code for the first place, or 0 if nothing was left out.
  int code() const { return code_; }

private:
  const Global &global_;
  std::set<std::string> told_;
  int code_ = 0;
};

} // namespace omnistore::cli
