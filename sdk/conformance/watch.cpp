// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <condition_variable>

#include "calling.hpp"

namespace omnistore::kit {

struct Watch::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Change> changes;
};

/// The driver's watcher. Its memory is unmapped after unwatch.
struct Watch::Face : omnistore_watcher {
  State *state;
};

std::unique_ptr<Watch> Store::watch(std::string_view base) {
  if (!driver_.watch) throw Skipped("the driver has no watch");
  std::unique_ptr<Watch> watch(new Watch(*this));
  watch->state_ = std::make_shared<Watch::State>();
  watch->memory_ = std::make_unique<CallMemory>("watch");
  Watch::Face face{};
  face.size = sizeof(omnistore_watcher);
  face.state = watch->state_.get();
  face.event = [](omnistore_watcher *watcher, const omnistore_event *event) noexcept {
    Watch::State &state = *static_cast<Watch::Face *>(watcher)->state;
    const std::lock_guard lock(state.mutex);
    state.changes.push_back({event->type, event->cause, std::string(as_view(event->key))});
    state.changed.notify_all();
  };
  omnistore_watcher *watcher = watch->memory_->make(face, "the watcher");
  Calling calling(*this, "watch", base);
  omnistore_watch_request request{};
  request.size = sizeof request;
  request.flags = calling.flags(0);
  request.base = calling.given.bytes(base, "the base");
  const omnistore_status status =
      driver_.watch(self_, calling.raw(), calling.use_structs(request, "the request"), watcher, &watch->watch_);
  calling.judge();
  if (status == OMNISTORE_UNSUPPORTED) {
    watch->store_ = nullptr;
    throw Skipped("watch is refused: " + calling.message());
  }
  if (status != OMNISTORE_OK) {
    watch->store_ = nullptr;
    throw Broken("watch failed with " + name_of(status) + " (" + calling.message() + ")");
  }
  return watch;
}

std::vector<Change> Watch::changes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->changes;
}

bool Watch::wait(const std::function<bool(const Change &)> &wanted, std::chrono::milliseconds longest) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, longest,
                                  [&] { return std::any_of(state_->changes.begin(), state_->changes.end(), wanted); });
}

void Watch::end() {
  if (!store_) return;
  progress::say("unwatch", "");
  store_->driver_.unwatch(store_->self_, watch_);
  store_ = nullptr;
  memory_.reset();
}

Watch::~Watch() { end(); }

} // namespace omnistore::kit
