// SPDX-License-Identifier: Apache-2.0
// The command line as plain data, which the parser fills: the options of all commands, and those of each.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "http/header_values.hpp"
#include "jobs/rewrite.hpp"
#include "jobs/writer.hpp"

namespace omnistore::cli {

struct Global {
  std::string program = "omnistore"; ///< as the user called it
  std::string config;                ///< empty: the program looks for one
  std::string profile;
  std::string url;   ///< of a running host; empty: open the config
  std::string admin; ///< the URL of its admin listener; empty: one port higher than `url`
  std::string token;
  std::string ca; ///< a file with the certificates that an https host is checked against; empty: the system's
  std::string certificate, key;         ///< files of the client's own certificate; empty: it has none
  std::string command;                  ///< the name of the command
  std::chrono::milliseconds timeout{0}; ///< of the whole command; 0: none
  bool json = false;
  bool quiet = false;
  int verbose = 0;

  bool remote() const { return !url.empty(); }
  /// Returns true if a report is to be that of a running host's admin listener.
  bool names_host() const { return remote() || !admin.empty(); }
};

struct MakeToken {
  std::string action; ///< "new" or "hash"
  std::string name;
  std::string file; ///< the token file that gets the line; empty: it is printed
  bool write = false;
  std::vector<std::string> bases;
  std::chrono::milliseconds life{0}; ///< 0: for ever
};

struct Serve {
  std::string text;  ///< a config to serve in place of a file
  std::string shown; ///< its name in messages
};

struct Check {
  bool schema = false;
  bool open = false; ///< open the stores and listeners too, and close them
  bool diff = false;
  std::string from; ///< the config to compare with; empty: the running host's
};

constexpr std::size_t batch_size = 256; // keys that are read, set or removed at once

struct Get {
  std::vector<std::string> keys;
  std::string from;   ///< a file of further keys; "-": standard input
  bool null = false;  ///< its keys end with NUL
  std::string output; ///< a file; empty: standard output
  std::optional<http::ByteRange> range;

  bool many() const { return keys.size() != 1 || !from.empty(); }
};

struct Set {
  std::string key;
  std::optional<std::string> value;
  std::string file; ///< "-": standard input
  std::string from; ///< a file of keys and values; "-": standard input
  std::optional<std::chrono::milliseconds> ttl;
  Condition condition;
};

struct Has {
  std::string key;
};

struct Remove {
  std::vector<std::string> keys;
  std::string from;  ///< a file of further keys; "-": standard input
  bool null = false; ///< its keys end with NUL
};

struct Touch {
  std::string key;
  std::chrono::milliseconds ttl{0};
};

struct ShowMeta {
  std::string key;
};

struct List {
  std::string base;
  std::optional<std::uint32_t> depth; ///< else any, or 0 with folders
  std::uint64_t limit = UINT64_MAX;
  std::string start, end;
  bool reverse = false, folders = false;
  bool details = false;
  bool null = false; ///< prints keys only, with a NUL after each
};

struct Clear {
  std::string base;
  bool yes = false;
};

struct ShowEvents {
  std::string base;
  bool null = false;       ///< prints keys only, with a NUL after each
  std::uint64_t count = 0; ///< it ends after so many; 0: when a signal comes
};

struct Mounts {};

struct Drivers {
  std::string name; ///< empty: all of them
  std::string file; ///< the only plugin file to describe; empty: all that are found
};

struct Plugins {
  std::string action = "list"; ///< or "lock", "verify"
  std::string lock;            ///< the lock file; empty: the config's, or omnistore.lock beside the config
};

struct NewDriver {
  std::string name;
  std::string language; ///< "c", "cpp" or "rust"; empty: cpp
  std::string folder;   ///< the project's; empty: NAME here
  bool layer = false;
};

struct Dev {
  std::string file, driver;   ///< driver empty: the only one
  std::string options = "{}"; ///< one JSON object
  std::vector<std::string> over;
  std::string listen = "127.0.0.1:0";
};

struct TestDriver {
  std::string file, driver; ///< driver empty: the only one
  std::string options = "{}";
  std::vector<std::string> over;  ///< "memory", or "fs {...}"
  std::vector<std::string> rules; ///< empty: all
  std::optional<std::uint64_t> seed;
  std::string junit;
  unsigned jobs = 0; ///< 0: the kit's own choice
  bool longer = false, all = false, here = false, list = false;
};

struct Man {
  std::string page; ///< empty: list them
  std::string all;  ///< the folder that all pages are written to; empty: print one
};

struct Doctor {};

struct ReloadConfig {
  bool dry_run = false;
};

struct Login {};

struct MountStore {
  std::string mountpoint;
  std::string what;                 ///< a driver, or a mount as JSON
  std::vector<std::string> options; ///< "name=value"
};

struct Unmount {
  std::string mountpoint;
  bool wait = false; ///< until the store is closed
};

struct ShowStats {
  std::string mountpoint;             ///< empty: all
  std::chrono::milliseconds every{0}; ///< 0: once, with the totals
  std::uint64_t count = 0;            ///< it ends after so many; 0: when a signal comes
};

struct Top {
  std::chrono::milliseconds every{2000};
  std::uint64_t count = 0;
};

struct Inspect {
  std::string base;
  bool null = false;                  ///< prints keys only, with a NUL after each
  std::optional<std::uint64_t> limit; ///< keys that are shown; of a tree: folders of each folder
  std::string cursor;
  bool count = true;
  std::size_t preview = 50; ///< characters of a value
  bool tree = false;
  unsigned depth = 2; ///< of the tree
  std::string order = "name";
  bool sizes = true; ///< of the tree
};

struct Explain {
  std::string key;
};

/// One end of a job: its options beyond the global ones.
struct JobEnd {
  std::string base;
  std::string config, profile; ///< empty: the global ones
  std::string url, token;

  bool named() const { return !config.empty() || !profile.empty() || !url.empty(); }
};

/// The options of copy, migrate, verify, dump and restore; each uses those that it has.
struct Job {
  JobEnd from, to;
  unsigned workers = 4;
  jobs::OnConflict on_conflict = jobs::OnConflict::fail;
  std::vector<jobs::RewriteRule> rewrite;
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0: no limit
  bool move = false;
  bool verify = false;
  bool dry_run = false;
  bool count = false; ///< the source is counted during the job
  bool meta = false;
  bool resume = false, restart = false;
  std::string journal;      ///< empty: the default place
  bool to_is_named = false; ///< the target's base
  std::string file;         ///< of a dump; "-": standard input or output
};

struct CopyKeys : Job {};
struct MigrateKeys : Job {};
struct VerifyKeys : Job {
  bool null = false; ///< prints keys only, with a NUL after each
};
struct DumpKeys : Job {};
struct RestoreKeys : Job {};

} // namespace omnistore::cli
