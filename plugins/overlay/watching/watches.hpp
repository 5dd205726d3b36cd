// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "layer/layer.hpp"

namespace overlay {

/// What a layer's watch tells.
struct LayerChange {
  const void *watch;
  std::uint32_t layer;
  std::string key; ///< as the layer knows it
  std::uint32_t type, cause;
};

/// The watches of an overlay, and the changes in its layers that were not looked at yet. A layer tells of a change
/// where nobody may be asked about it (driver.h), so that each waits for a task of the host's. Thread-safe.
class Watches {
public:
  /// `look(argument, call)` is the task: it takes changes until there are none. `argument` outlives this object.
  Watches(const omnistore_host &host, omnistore_task look, void *argument);
  ~Watches();

  omnistore_status begin(Call call, std::deque<Layer> &layers, std::string_view base, omnistore_watcher &to,
                         void **watch);
  void end(void *watch);

  /// For the task. False: there are no more; it will be run again when there are.
  bool take(LayerChange &change);
  /// Tells the watch of it, unless it has ended, or the key is none of its own.
  void report(const void *watch, std::uint32_t type, std::uint32_t cause, std::string_view key);

private:
  struct Watch;
  struct Listener;

  void changed(const Watch &watch, std::uint32_t layer, const omnistore_event &event);

  const omnistore_host &host_;
  const omnistore_task look_;
  void *const argument_;
  std::mutex watches_mutex_; ///< held while events are told
  std::unordered_map<const void *, std::unique_ptr<Watch>> watches_;
  std::mutex changes_mutex_; ///< behind the layers' own locks
  std::deque<LayerChange> changes_;
  bool task_submitted_ = false;
};

} // namespace overlay
