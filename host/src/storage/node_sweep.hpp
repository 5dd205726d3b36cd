// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "storage/node.hpp"

namespace omnistore {

/// Removes values whose expiry the host keeps, once it has passed, without their being read. What is set while the
/// store is open is remembered by its expiry; what was there before, or is too much to remember, is found by going
/// through the store, a page at a time. In the background, in short steps. Thread-safe.
class Node::Sweep {
public:
  explicit Sweep(Node &node) : node_(node) {}

  /// A value was set that ends then.
  void note(std::string_view key, std::int64_t expiry);
  /// The driver removed a value by itself: its sidecar goes, if the key has no value then.
  void orphaned(std::string_view key);
  /// The store may hold values with an expiry that nobody noted.
  void scan();

private:
  struct Due {
    std::int64_t expiry;
    std::string key;
    bool operator>(const Due &other) const { return expiry > other.expiry; }
  };
  static void OMNISTORE_CALL run_(void *self, omnistore_call *call);
  void run(omnistore_call *call);
  std::vector<std::string> take(std::int64_t now);
  std::vector<std::string> take_orphans();
  bool scanning();
  void scan_page(omnistore_call *call);
  void schedule(std::int64_t delay);

  Node &node_;
  std::mutex mutex_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<std::string> orphans_;
  std::int64_t wakes_ = INT64_MAX; ///< when the next run is due on the host's clock
  bool scanning_ = false;
  bool missed_ = false; ///< there was something that is too much to remember: it takes another scan
  std::string cursor_;  ///< of the scan
};

} // namespace omnistore
