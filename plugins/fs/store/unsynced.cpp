// SPDX-License-Identifier: Apache-2.0
#include "store/unsynced.hpp"

#include <cerrno>
#include <vector>

#include <unistd.h>

#include "tree/retry.hpp"

namespace fs {

using omnistore::Failure;

void UnsyncedChanges::sync_folder(int folder, std::string_view path) {
  if (context_.settings.durability != Durability::full || retry(::fsync, folder) == 0) return;
  const int error = errno;
  note(path);
  throw Failure(OMNISTORE_IO, std::string(path.empty() ? "the base folder" : path) +
                                  ": the change is made, and a power cut may undo it: " + message_of(error));
}

void UnsyncedChanges::note(std::string_view path) {
  constexpr std::size_t most = 1000;
  const std::lock_guard lock(mutex_);
  if (paths_.size() >= most) paths_.clear(), path = {}, too_many_ = true;
  paths_.emplace(path);
  any_.store(true, std::memory_order_release);
}

void UnsyncedChanges::sync_earlier(std::string_view path, bool below) {
  if (!any_.load(std::memory_order_acquire)) return;
  const auto is_at_or_below = [](std::string_view one, std::string_view other) {
    return other.empty() || (one.starts_with(other) && (one.size() == other.size() || one[other.size()] == '/'));
  };
  std::vector<std::string> due;
  bool all = false;
  {
    const std::lock_guard lock(mutex_);
    all = too_many_;
    for (const std::string &noted : paths_)
      if (is_at_or_below(path, noted) || (below && is_at_or_below(noted, path))) due.push_back(noted);
  }
  for (const std::string &noted : due) {
    const auto sync = [&](int folder) {
      if ((all ? retry(::syncfs, folder) : retry(::fsync, folder)) != 0)
        throw Failure(OMNISTORE_IO,
                      (noted.empty() ? "the base folder" : noted) +
                          ": an earlier change is made, and a power cut may undo it: " + message_of(errno));
    };
    // Sync the path itself, if it is a folder, and the lowest folder above it that exists.
    std::string_view at = noted;
    Fd folder = context_.tree.open_folder(at);
    if (folder) sync(folder.get());
    while (!at.empty()) {
      const std::size_t slash = at.rfind('/');
      at = slash == at.npos ? std::string_view() : at.substr(0, slash);
      folder = context_.tree.open_folder(at);
      if (!folder && !is_gone(errno)) fail(errno, at);
      if (!folder) continue;
      sync(folder.get());
      break;
    }
    const std::lock_guard lock(mutex_);
    paths_.erase(noted);
    if (paths_.empty()) too_many_ = false;
    any_.store(!paths_.empty(), std::memory_order_release);
  }
}

} // namespace fs
