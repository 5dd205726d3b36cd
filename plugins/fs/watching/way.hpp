// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "watching/inotify.hpp"

namespace fs {

/// The folders on the way to the base, symbolic links included. Each is watched for a change of the next step, since
/// the base's path may lead to another folder after it. Not thread-safe.
class Way {
public:
  /// The news in a notification about the way.
  struct News {
    bool is_step = false;       ///< its folder is one of the way
    bool concerns_base = false; ///< the path of the base may lead elsewhere now
  };

  /// `base` is the absolute path of the base, and lives as long as this object.
  explicit Way(const std::string &base) : base_(base) {}

  /// Watches the folders that are on the way now. Returns true if they are others than before. If a watch is not
  /// allowed, a change is noticed when the store is used the next time. Throws a Failure if a limit is reached.
  bool find(Inotify &inotify);
  void forget() { steps_.clear(); }
  News take(const Notification &notification);

private:
  struct Step {
    int watch;
    std::string name; ///< of the next step
    bool operator==(const Step &) const = default;
  };

  const std::string &base_;
  std::vector<Step> steps_;
};

} // namespace fs
