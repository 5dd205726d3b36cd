// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/in_flight.hpp"
#include "storage/node.hpp"
#include "storage/node_host.hpp"

namespace omnistore {

/// The node's store in what base/in_flight.hpp knows.
class Node::Label : public base::CallLabel {
public:
  explicit Label(Node &node)
      : CallLabel(node.driver_->file.c_str(), node.driver_->name.c_str(), node.host_->mount().c_str()), node_(node) {}
  ~Label() override { hide(); }
  bool never_blocks() const noexcept override {
    return node_.never_blocks_.load(std::memory_order_relaxed) && !node_.was_slow_.load(std::memory_order_relaxed);
  }
  void blocked(const char *operation) noexcept override {
    node_.was_slow_.store(true, std::memory_order_relaxed);
    node_.faults_.add(Fault::slow, operation);
  }

private:
  Node &node_;
};

} // namespace omnistore
