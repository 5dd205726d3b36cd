// SPDX-License-Identifier: Apache-2.0
// The mounts, and the mount of a key.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <omnistore/config.hpp>

#include "storage/store.hpp"
#include "storage/thread_slot.hpp"

namespace omnistore {

/// Counts the users of a mount: a counter for each thread, on a cache line of its own.
class Users {
public:
  std::uint32_t count() const {
    std::uint32_t all = 0;
    for (const Slot &slot : slots_) all += slot.count.load(std::memory_order_acquire);
    return all;
  }

private:
  friend class Hold;
  struct alignas(64) Slot {
    std::atomic<std::uint32_t> count{0};
  };
  std::array<Slot, thread_slots> slots_{};
};

/// A store bound to a mountpoint. It does not change once it is in a table, and several tables may share it.
struct Mount : std::enable_shared_from_this<Mount> {
  std::string mountpoint; ///< normal form; "": the root
  std::string base;       ///< mountpoint and ':', or ""
  std::string prefix;     ///< begins every key inside the store: "app:v1:", or ""
  std::int64_t ttl = 0;   ///< of values set without one; milliseconds, 0: never
  bool read_only = false;
  bool runtime = false; ///< mounted by a call, not by the config
  MountConfig config;
  Plan plan;
  std::uint32_t fingerprint = 0; ///< the same for the same store, in another process too
  std::string reason;            ///< why it could not be opened, if store is null
  std::shared_ptr<Store>
      store; ///< shared with the mount that this one took the place of, if only settings outside the store changed
  mutable std::atomic<bool> reports_own{false}; ///< the store reports this host's writes too, while it is watched
  mutable Users users;
  mutable std::atomic<std::uint32_t> watches{0}; ///< of its store, among the users

  /// Returns the store's key. Uses `room` if the mount has a prefix.
  std::string_view inside(std::string_view key, std::string &room) const {
    key.remove_prefix(base.size());
    if (prefix.empty()) return key;
    room.reserve(prefix.size() + key.size() + 1);
    room.assign(prefix).append(key);
    return room;
  }
  /// Sets the public key of a store's key. Returns false if it is not one of this mount's.
  bool outside(std::string_view inner, std::string &key) const {
    if (!inner.starts_with(prefix)) return false;
    key.assign(base).append(inner.substr(prefix.size()));
    return true;
  }
  /// "shared" or "root", for messages.
  std::string_view shown() const { return mountpoint.empty() ? std::string_view("root") : mountpoint; }
};

/// Keeps a mount, and its store open, while it lives. It is taken while an Epoch::Guard lives under which the mount was
/// found in the table, so that a mount that was taken out gets no new one. Costs no fence and no read-modify-write.
class Hold {
public:
  /// The threads on which a hold may end.
  enum Ends { here, anywhere }; ///< on the thread that took it; on any thread
  Hold() = default;
  explicit Hold(const Mount &mount, Ends ends = here) : mount_(&mount) {
    const unsigned slot = ends == here ? thread_slot() : shared_slot;
    counter_ = &mount.users.slots_[slot].count;
    shared_ = slot == shared_slot;
    if (shared_)
      counter_->fetch_add(1, std::memory_order_relaxed);
    else
      counter_->store(counter_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  ~Hold() { end(); }
  Hold(Hold &&other) noexcept
      : mount_(std::exchange(other.mount_, nullptr)), counter_(other.counter_), shared_(other.shared_) {}
  Hold &operator=(Hold &&other) noexcept {
    end();
    mount_ = std::exchange(other.mount_, nullptr);
    counter_ = other.counter_;
    shared_ = other.shared_;
    return *this;
  }

  explicit operator bool() const { return mount_ != nullptr; }
  const Mount &operator*() const { return *mount_; }
  const Mount *operator->() const { return mount_; }

private:
  void end() {
    if (!mount_) return;
    if (shared_)
      counter_->fetch_sub(1, std::memory_order_release);
    else
      counter_->store(counter_->load(std::memory_order_relaxed) - 1, std::memory_order_release);
    mount_ = nullptr;
  }

  const Mount *mount_ = nullptr;
  std::atomic<std::uint32_t> *counter_ = nullptr;
  bool shared_ = false;
};

/// The settings of a config that hold for all its mounts.
struct MountDefaults {
  std::string prefix; ///< with a ':' at its end, or empty
  std::int64_t ttl = 0;
};

/// A mount that is not open yet.
std::shared_ptr<Mount> make_mount(const std::string &mountpoint, const MountConfig &config, Plan plan,
                                  const MountDefaults &defaults);

/// The mounts at one moment. Immutable. A table keeps no store open: see Hold.
class MountTable : public std::enable_shared_from_this<MountTable> {
public:
  explicit MountTable(std::vector<std::shared_ptr<Mount>> mounts);

  /// Returns the mount with the longest mountpoint that the key lies under, by whole segments; null if there is none.
  const Mount *find(std::string_view key) const {
    const Mount *found = root_;
    if (depth_ == 0 || key.empty() || !first_[static_cast<unsigned char>(key.front())]) return found;
    std::size_t colon = 0;
    for (std::uint32_t segments = 0; segments < depth_; ++segments) {
      colon = key.find(':', colon);
      if (colon == key.npos) break;
      if (const auto it = by_point_.find(key.substr(0, colon)); it != by_point_.end()) found = it->second;
      ++colon;
    }
    return found;
  }

  /// Returns the mounts that a listing of a base spans, ordered by mountpoint: the one that holds it, and those below
  /// it.
  std::vector<const Mount *> spanned(std::string_view base) const;
  /// Returns true if another mountpoint lies under this one's.
  bool has_deeper(const Mount &mount) const;

  const std::vector<std::shared_ptr<Mount>> &mounts() const { return mounts_; }
  /// Returns the mount at exactly this mountpoint; null if there is none.
  std::shared_ptr<Mount> at(std::string_view mountpoint) const;
  bool has(const Mount &mount) const { return at(mount.mountpoint).get() == &mount; }

private:
  std::vector<std::shared_ptr<Mount>> mounts_; ///< by mountpoint
  boost::unordered_flat_map<std::string_view, const Mount *> by_point_;
  const Mount *root_ = nullptr;
  std::array<bool, 256> first_{}; ///< with which bytes mountpoints begin
  std::uint32_t depth_ = 0;       ///< segments of the longest mountpoint
};

} // namespace omnistore
