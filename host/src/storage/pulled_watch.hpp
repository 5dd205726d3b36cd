// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <omnistore/storage.hpp>

#include "storage/hub.hpp"

namespace omnistore {

/// A watch for fronts that have threads of their own: it runs no callback, and the front takes the events. See
/// Hub::pull(). Its destructor returns when `ready` is not running and will not be called any more.
class PulledWatch {
public:
  PulledWatch(Storage &storage, std::string_view base, std::function<void()> ready, const WatchOptions &options);
  std::uint64_t position() const { return watch_.position(); }
  void take(EventTaker &taker) { Hub::take(watch_, taker); }

private:
  Watch watch_;
};

} // namespace omnistore
