// SPDX-License-Identifier: Apache-2.0
// --timeout, and the end of a read whose reader has gone: both end a command although its store or host hangs.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cli/options.hpp"

namespace omnistore::cli {

/// Ends the program while a command runs. There is at most one, and none of its threads is left after it.
///
/// After `global.timeout` a job that ends well on Ctrl-C is stopped in that way; what else is not done 100 ms later, or
/// a job a second later, is given up: the process reports what hangs and ends with the exit code of a timeout. A
/// command that only reads also ends, with closed_pipe_code, if its standard output is a pipe that nobody reads any
/// more. Both work although a driver never returns.
class TimeLimit {
public:
  struct Command {
    std::string name;
    bool writes = false;       ///< it may change what a store holds
    bool only_results = false; ///< it is in vain when nobody reads its results
  };
  TimeLimit(const Global &global, Command command);
  ~TimeLimit();
  TimeLimit(const TimeLimit &) = delete;
  TimeLimit &operator=(const TimeLimit &) = delete;

  class State;

private:
  std::unique_ptr<State> state_;
};

/// Returns true if the command's time is up. [any thread]
bool time_is_up();
/// The exit code of a job that was stopped: by its time limit, or by a signal.
int stopped_code();
/// Returns how much time is left for an operation; 0: any. An operation of a running host has no limit of its own, so
/// that the message of the time limit names the host. [any thread]
std::chrono::milliseconds time_left();
/// The options with the time that is left.
template <typename Options>
Options limited(Options options) {
  options.timeout = time_left();
  return options;
}

/// While it lives, a message about a command that hangs names this host: "127.0.0.1:7700". [any thread]
class WaitsForHost {
public:
  /// The text must outlive it.
  explicit WaitsForHost(const std::string &address);
  ~WaitsForHost();
  WaitsForHost(const WaitsForHost &) = delete;
  WaitsForHost &operator=(const WaitsForHost &) = delete;

private:
  const std::string *const address_;
};

/// While it lives, this file is removed if the process is given up. [any thread]
class UnfinishedFile {
public:
  explicit UnfinishedFile(const std::string &path);
  ~UnfinishedFile();
  UnfinishedFile(const UnfinishedFile &) = delete;
  UnfinishedFile &operator=(const UnfinishedFile &) = delete;

private:
  const std::string *const path_;
};

} // namespace omnistore::cli
