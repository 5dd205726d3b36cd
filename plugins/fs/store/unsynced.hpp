// SPDX-License-Identifier: Apache-2.0
// Changes that no fsync has brought to the medium yet.
//
// With durability `full` every change of names is followed by an fsync of its folder. If that fails, the change is made
// but a power cut may undo it. The operation fails with `io`, and the path is noted here. A later operation that finds
// the change made, and has nothing to do, must not acknowledge it before an fsync has succeeded.
#pragma once

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "store/context.hpp"

namespace fs {

/// Thread-safe.
class UnsyncedChanges {
public:
  explicit UnsyncedChanges(const Context &context) : context_(context) {}

  /// Waits until a change of the names in an open folder is on the medium, if the durability is `full`. Throws a
  /// Failure
  /// (`io`, whatever the reason is) if that is not possible, and notes the path.
  void sync_folder(int folder, std::string_view path);
  /// Notes that a change at a path may not outlive a power cut.
  void note(std::string_view path);
  /// Brings the noted changes at a path, or above it, to the medium; with `below`, also those below it. It costs one
  /// load while nothing is noted. Throws a Failure if it fails again.
  void sync_earlier(std::string_view path, bool below);

private:
  const Context &context_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> paths_;
  bool too_many_ = false; ///< there were more paths than it holds: the whole filesystem must be synced
  std::atomic<bool> any_{false};
};

} // namespace fs
