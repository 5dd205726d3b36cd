// SPDX-License-Identifier: Apache-2.0
// What the command line said: the options of all commands, and those of each. Plain data, filled by main.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::cli {

struct Global {
  std::string program = "omnistore"; ///< as it was called
  std::string config;                ///< empty: look for one
  std::string profile;
  std::string url;   ///< of a running host; empty: open the config
  std::string admin; ///< the URL of its admin listener; empty: one port higher than `url`
  std::string token;
  bool json = false;
  bool quiet = false;
  int verbose = 0;

  bool remote() const { return !url.empty(); }
};

struct Serve {};

struct Check {
  bool schema = false;
};

struct Get {
  std::string key;
  std::string output; ///< a file; empty: standard output
};

struct Set {
  std::string key;
  std::optional<std::string> value;
  std::string file; ///< "-": standard input
  std::optional<std::chrono::milliseconds> ttl;
  Condition condition;
};

struct Has {
  std::string key;
};

struct Remove {
  std::vector<std::string> keys;
};

struct ShowMeta {
  std::string key;
};

struct List {
  std::string base;
  std::uint32_t depth = ListOptions::any_depth;
  std::uint64_t limit = UINT64_MAX;
  bool details = false;
};

struct Clear {
  std::string base;
  bool yes = false;
};

struct ShowEvents {
  std::string base;
  std::uint64_t count = 0; ///< ends after so many; 0: when it is told to
};

struct Mounts {};

struct Drivers {
  std::string name; ///< empty: all of them
};

} // namespace omnistore::cli
