// SPDX-License-Identifier: Apache-2.0
#include "storage/node_sweep.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "storage/call.hpp"
#include "storage/key_page.hpp"
#include "storage/node_host.hpp"

namespace omnistore {
namespace {

constexpr std::size_t most_noted = 1'000'000; // beyond that the store is gone through
constexpr std::size_t at_once = 1000;         // removals, or keys looked at, in one step
constexpr std::int64_t longest_wait = 1000;   // the host's clock may be set forward while a run is waited for
constexpr std::int64_t scan_pause = 20;       // between two pages of a scan

} // namespace

void Node::Sweep::note(std::string_view key, std::int64_t expiry) {
  std::lock_guard lock(mutex_);
  if (due_.size() >= most_noted) {
    scanning_ = missed_ = true;
  } else {
    due_.push({expiry, std::string(key)});
  }
  schedule(std::max<std::int64_t>(expiry - now_ms(), 0));
}

void Node::Sweep::orphaned(std::string_view key) {
  std::lock_guard lock(mutex_);
  if (orphans_.size() >= most_noted) return; // it stays, and is shown for no other value
  try {
    orphans_.emplace_back(key);
    schedule(0);
  } catch (const std::bad_alloc &) { // likewise
  }
}

void Node::Sweep::scan() {
  std::lock_guard lock(mutex_);
  scanning_ = true;
  schedule(scan_pause);
}

/// Under the lock. A run that comes too early does no harm.
void Node::Sweep::schedule(std::int64_t delay) {
  delay = std::min(delay, longest_wait);
  if (wakes_ <= now_ms() + delay) return;
  const bool submitted =
      node_.host_->submit(node_.host_.get(), run_, this, static_cast<std::uint64_t>(delay), 0) == OMNISTORE_OK;
  wakes_ = submitted ? now_ms() + delay : INT64_MAX;
}

void Node::Sweep::run_(void *self, omnistore_call *call) { static_cast<Sweep *>(self)->run(call); }

void Node::Sweep::run(omnistore_call *call) {
  {
    std::lock_guard lock(mutex_);
    wakes_ = INT64_MAX;
  }
  for (const std::string &key : take(now_ms())) {
    if (call->remaining(call) == 0) return;
    node_.remove_expired(call, key);
  }
  for (const std::string &key : take_orphans()) {
    if (call->remaining(call) == 0) return;
    node_.remove_orphan(call, key);
  }
  if (scanning()) scan_page(call);
  std::lock_guard lock(mutex_);
  if (scanning_) schedule(scan_pause);
  if (!due_.empty()) schedule(std::max<std::int64_t>(due_.top().expiry - now_ms(), 1));
}

bool Node::Sweep::scanning() {
  std::lock_guard lock(mutex_);
  return scanning_;
}

std::vector<std::string> Node::Sweep::take(std::int64_t now) {
  std::vector<std::string> keys;
  std::lock_guard lock(mutex_);
  while (!due_.empty() && due_.top().expiry <= now && keys.size() < at_once) {
    keys.push_back(due_.top().key);
    due_.pop();
  }
  return keys;
}

std::vector<std::string> Node::Sweep::take_orphans() {
  std::lock_guard lock(mutex_);
  return std::exchange(orphans_, {});
}

/// Notes the expiries of one page's keys.
void Node::Sweep::scan_page(omnistore_call *call) {
  KeyPage page;
  omnistore_list_request request{};
  request.size = sizeof request;
  request.depth = OMNISTORE_ANY_DEPTH;
  request.limit = at_once;
  request.cursor = bytes(cursor_);
  const omnistore_status status = node_.driver_list(call, request, &page);
  for (const std::string &key : page.keys) {
    if (!key.ends_with('$')) continue;
    std::int64_t expiry = 0;
    const std::string_view of = std::string_view(key).substr(0, key.size() - 1);
    if (node_.kept_expiry(call, of, expiry) == OMNISTORE_OK && expiry != 0) note(of, expiry);
  }
  std::lock_guard lock(mutex_);
  cursor_ = page.cursor;
  scanning_ = status == OMNISTORE_OK && (page.more || missed_);
  if (!page.more) missed_ = false;
}

} // namespace omnistore
