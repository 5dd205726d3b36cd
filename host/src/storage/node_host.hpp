// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/node.hpp"

namespace omnistore {

/// The services that a store is given.
class Node::Host : public omnistore_host {
public:
  Host(Node &node, std::shared_ptr<Tasks> tasks, std::string mount);
  void announce(const omnistore_event &removal) const;
  const std::string &mount() const { return mount_; }
  const std::shared_ptr<Tasks> &tasks() const { return tasks_; }
  /// No task of the store runs or will run after it.
  void drop_tasks() { tasks_->drop(this); }
  ~Host() { tasks_->forget(this); }

private:
  static const Host &self(const omnistore_host *host) { return *static_cast<const Host *>(host); }
  static void OMNISTORE_CALL log_(const omnistore_host *host, std::uint32_t level, omnistore_bytes message);
  static std::int64_t OMNISTORE_CALL now_(const omnistore_host *);
  static omnistore_status OMNISTORE_CALL submit_(const omnistore_host *host, omnistore_task task, void *argument,
                                                 std::uint64_t delay, std::uint32_t flags);
  static void OMNISTORE_CALL event_(const omnistore_host *host, const omnistore_event *removal);
  static const void *OMNISTORE_CALL extension_(const omnistore_host *, const char *) { return nullptr; }

  Node &node_;
  const std::shared_ptr<Tasks> tasks_;
  const std::string mount_;
};

} // namespace omnistore
