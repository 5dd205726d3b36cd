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

#include "layer/layers.hpp"

namespace overlay {

/// A change that a layer's watch reports.
struct LayerChange {
  const void *watch;
  std::uint32_t layer;
  std::string key; ///< in the layer's form
  std::uint32_t type, cause;
};

/// The watches of an overlay, and the queue of changes in its layers. A layer reports a change from a thread that must
/// not call any store (driver.h), so each change waits for a task of the host. Thread-safe.
class Watches {
public:
  /// The task is `look(argument, call)`: it takes changes until there are none. `argument` must outlive this object.
  Watches(const omnistore_host &host, omnistore_task look, void *argument);
  ~Watches();

  omnistore_status begin(Call call, Layers &layers, std::string_view base, omnistore_watcher &to, void **watch);
  void end(void *watch);

  /// Called by the task. Returns false if there are no more changes; the task is then submitted with the next one.
  bool take(LayerChange &change);
  /// Reports an event to a watch, unless the watch has ended or the key is not under its base.
  void report(const void *watch, std::uint32_t type, std::uint32_t cause, std::string_view key);

private:
  struct Watch;
  struct Listener;

  void changed(const Watch &watch, std::uint32_t layer, const omnistore_event &event);

  const omnistore_host &host_;
  const omnistore_task look_;
  void *const argument_;
  std::mutex watches_mutex_; ///< held while events are reported
  std::unordered_map<const void *, std::unique_ptr<Watch>> watches_;
  std::mutex changes_mutex_; ///< taken while a layer holds its locks
  std::deque<LayerChange> changes_;
  bool task_submitted_ = false;
};

} // namespace overlay
