// SPDX-License-Identifier: Apache-2.0
// A storage with files under `from` and `to`, memory under `mem`, and a driver that can do the least under `bare`.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "jobs/copy.hpp"
#include "storage/fixture.hpp"
#include "support/temporary.hpp"

namespace test {

using omnistore::jobs::Copy;
using omnistore::jobs::CopyOptions;
using omnistore::jobs::Endpoint;
using omnistore::jobs::Journal;
using omnistore::jobs::KeyOutcome;
using omnistore::jobs::OnConflict;

class Ground {
public:
  Ground()
      : storage(open(R"({
          "from": { "driver": "fs", "options": { "base": ")" +
                     (folder / "from") + R"(" } },
          "to": { "driver": "fs", "ttl": "1h", "options": { "base": ")" +
                     (folder / "to") + R"(" } },
          "mem": { "driver": "memory" },
          "bare": { "driver": "bare" } })")) {}

  std::string journal() const { return folder / "journal"; }
  Endpoint end(const std::string &base) {
    Endpoint end(storage, base);
    end.places.emplace(); // no store here is a part of another, so a copy need not list all to find that out
    return end;
  }

  /// Runs a copy to its end; what it counted.
  omnistore::jobs::Counts copy(const std::string &from, const std::string &to, CopyOptions options = {}) {
    problems.clear();
    Copy job(end(from), end(to), std::move(options),
             [this](const omnistore::Error &problem) { problems.push_back(problem.what()); });
    done = job.run();
    failure = job.failure();
    return job.counts();
  }

  /// Returns the content of every key under a base, relative to it: the value, and the user's meta after it.
  std::map<std::string, std::string> all(const std::string &base) const {
    std::map<std::string, std::string> result;
    for (const auto &[key, entry] : storage.entries(base))
      result[key.substr(base.size() + 1)] = entry.value + "|" + storage.meta(key).value().user;
    return result;
  }

  Folder folder;
  omnistore::Storage storage;
  std::vector<std::string> problems;
  bool done = false;
  omnistore::Status failure = omnistore::Status::ok;
};

inline CopyOptions on_conflict(OnConflict how) {
  CopyOptions options;
  options.on_conflict = how;
  return options;
}

inline omnistore::SetOptions lives(std::chrono::milliseconds ttl) {
  omnistore::SetOptions options;
  options.ttl = ttl;
  return options;
}

} // namespace test
