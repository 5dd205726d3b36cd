// SPDX-License-Identifier: Apache-2.0
#include "storage/emulation/sweep.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <omnistore/child.hpp>

#include "base/clock.hpp"
#include "storage/call.hpp"
#include "storage/emulation/sidecar_layer.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {
namespace {

constexpr std::size_t most_known = 1'000'000; // expiries that are remembered; for more the store is scanned
constexpr std::size_t at_once = 1000;         // removals, or keys of a scan, in one step
constexpr std::int64_t longest_wait = 1000;   // the host's clock may be set forward while a run is waited for
constexpr std::int64_t scan_pause = 20;       // between two pages of a scan

} // namespace

void Sweep::expires(std::string_view key, std::int64_t expiry) {
  std::lock_guard lock(mutex_);
  if (due_.size() >= most_known) {
    scanning_ = missed_ = true;
  } else {
    due_.push({expiry, std::string(key)});
  }
  schedule(std::max<std::int64_t>(expiry - now_ms(), 0));
}

void Sweep::orphaned(std::string_view key) {
  std::lock_guard lock(mutex_);
  if (orphans_.size() >= most_known) return; // it stays, and no other value shows it
  try {
    orphans_.emplace_back(key);
    schedule(0);
  } catch (const std::bad_alloc &) { // likewise
  }
}

void Sweep::scan() {
  std::lock_guard lock(mutex_);
  scanning_ = true;
  schedule(scan_pause);
}

/// Under the lock. A run that comes too early does no harm.
void Sweep::schedule(std::int64_t delay) {
  delay = std::min(delay, longest_wait);
  if (wakes_ <= now_ms() + delay) return;
  const bool submitted = host_.submit(&host_, run_, this, static_cast<std::uint64_t>(delay), 0) == OMNISTORE_OK;
  wakes_ = submitted ? now_ms() + delay : INT64_MAX;
}

void Sweep::run_(void *self, omnistore_call *call) { static_cast<Sweep *>(self)->run(call); }

void Sweep::run(omnistore_call *call) {
  {
    std::lock_guard lock(mutex_);
    wakes_ = INT64_MAX;
  }
  for (const std::string &key : take_due(now_ms())) {
    if (call->remaining(call) == 0) return;
    layer_.remove_expired(call, key);
  }
  for (const std::string &key : take_orphans()) {
    if (call->remaining(call) == 0) return;
    layer_.remove_orphan(call, key);
  }
  if (scanning()) scan_page(call);
  std::lock_guard lock(mutex_);
  if (scanning_) schedule(scan_pause);
  if (!due_.empty()) schedule(std::max<std::int64_t>(due_.top().expiry - now_ms(), 1));
}

bool Sweep::scanning() {
  std::lock_guard lock(mutex_);
  return scanning_;
}

std::vector<std::string> Sweep::take_due(std::int64_t now) {
  std::vector<std::string> keys;
  std::lock_guard lock(mutex_);
  while (!due_.empty() && due_.top().expiry <= now && keys.size() < at_once) {
    keys.push_back(due_.top().key);
    due_.pop();
  }
  return keys;
}

std::vector<std::string> Sweep::take_orphans() {
  std::lock_guard lock(mutex_);
  return std::exchange(orphans_, {});
}

/// Remembers the expiries of one page's keys.
void Sweep::scan_page(omnistore_call *call) {
  std::vector<std::string> found;
  PageSink page([&](std::string_view key, const omnistore_meta *) {
    if (is_sidecar(key)) found.emplace_back(owner_of(key));
    return OMNISTORE_OK;
  });
  const omnistore_list_request request{sizeof request, 0, {}, OMNISTORE_ANY_DEPTH, at_once, bytes(cursor_), {}, {}};
  const omnistore_status status = store_.list(call, &request, &page);
  for (const std::string &key : found) {
    Sidecar sidecar;
    if (sidecars_.read(call, key, sidecar) == OMNISTORE_OK && sidecar.expiry != 0) expires(key, sidecar.expiry);
  }
  std::lock_guard lock(mutex_);
  cursor_ = page.cursor;
  const bool more = !cursor_.empty();
  scanning_ = status == OMNISTORE_OK && (more || missed_);
  if (!more) missed_ = false;
}

} // namespace omnistore
