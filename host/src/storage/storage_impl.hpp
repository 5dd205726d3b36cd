// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

#include "loader/registry.hpp"
#include "storage/call.hpp"
#include "storage/closer.hpp"
#include "storage/epoch.hpp"
#include "storage/hub.hpp"
#include "storage/key.hpp"
#include "storage/mount_table.hpp"
#include "storage/op_log.hpp"
#include "storage/tasks.hpp"
#include "storage/watchdog.hpp"

namespace omnistore {

/// Throws Error(too_large) if a key, or a base, would reach the store with so many bytes and that is too long.
void check_length(const char *operation, std::string_view shown, const Mount &mount, std::size_t inside);

class Storage::Impl : private Hub::Sources {
public:
  Impl(const Config &config, std::shared_ptr<loader::Registry> registry);
  ~Impl();

  /// Where a key leads. While it lives the mount and its store stay open.
  class Route {
  public:
    /// Throws Error(invalid) where no mount holds the key, Error(unavailable) where the mount is not open.
    Route(const Impl &impl, const char *operation, const Key &key);
    /// Tells the log of the operation where it wants to know.
    ~Route() {
      if (timer_.runs()) tell();
    }
    /// What the operation came to, for the log: "HIT", "MISS"; a text that stays.
    void came_to(const char *outcome) { outcome_ = outcome; }
    bool found(bool is) {
      outcome_ = is ? "HIT" : "MISS";
      return is;
    }
    const Mount &mount() const { return *mount_; }
    Node &node() const { return *mount_->node; }
    /// Throws Error(too_large) if it is longer than the store takes.
    omnistore_bytes key() {
      const std::string_view inside = mount_->inside(key_.view(), room_);
      if (inside.size() > mount_->node->longest_key()) check_length(operation_, key_.shown(), *mount_, inside.size());
      return bytes(inside);
    }
    /// Of a key `k$`: k.
    omnistore_bytes owner();
    /// Throws Error(read_only) where the config lets nobody write here.
    void check_writable() const;
    /// Of a write of a key `k$`: throws Error for what can be asked of values alone.
    void check_user(const SetOptions &options) const;
    void check_user(const Condition &condition) const;
    [[noreturn]] void refuse(Status status, std::string_view why) const;
    /// Throws what a failed operation has to say.
    [[noreturn]] void raise(omnistore_status status, const HostCall &call);

  private:
    void tell() const noexcept;

    Epoch::Guard guard_;
    OpLog::Timer timer_;
    const char *outcome_ = nullptr;
    std::string error_;
    const char *operation_;
    const Key &key_;
    const Mount *mount_;
    std::string room_;
  };

  /// Mounts a store, or takes the one at the mountpoint out where there is no config. Returns when the old one is
  /// closed. False: there was none.
  bool replace(const std::string &mountpoint, const MountConfig *config);
  /// What the config changes; where `apply` is set, does it.
  std::vector<MountChange> reload(const Config &config, std::shared_ptr<loader::Registry> plugins, bool apply);
  std::shared_ptr<loader::Registry> registry() const {
    const std::lock_guard lock(registry_mutex_);
    return registry_;
  }
  const MountTable &table() const { return *table_.load(std::memory_order_acquire); }

  /// Tells of a change that was made through this Storage, unless the store tells of it.
  void publish(const Mount &mount, Event::Type type, Event::Cause cause, std::string_view key) {
    if (hub.active() && !mount.tells_own.load(std::memory_order_relaxed)) publish_key(type, cause, key);
  }

  // What Storage and View offer. Keys and bases come with the base of the view that they were named in (empty: of the
  // Storage), and go back without it, in messages too.
  bool get(const Key &key, std::string &into, const GetOptions &options) const;
  std::optional<Entry> entry(const Key &key, const GetOptions &options) const;
  bool read(const Key &key, Reader &reader, const GetOptions &options) const;
  bool has(const Key &key, const CallOptions &options) const;
  std::optional<Meta> meta(const Key &key, const MetaOptions &options) const;
  Explanation explain(const Key &key, const CallOptions &options) const;
  Stored set(const Key &key, std::string_view value, const SetOptions &options, bool want_etag);
  Stored set(const Key &key, Source &source, std::uint64_t size, const SetOptions &options, bool want_etag);
  bool remove(const Key &key, const RemoveOptions &options);
  bool touch(const Key &key, std::chrono::milliseconds life, const CallOptions &options);
  std::vector<EntryOutcome> get_many(std::string_view in, std::span<const std::string> keys,
                                     const GetOptions &options) const;
  std::vector<Outcome> set_many(std::string_view in, std::span<const SetItem> items, const CallOptions &options);
  std::vector<Outcome> remove_many(std::string_view in, std::span<const std::string> keys, const CallOptions &options);
  Page list(std::string_view in, std::string_view base, const ListOptions &options) const;
  template <typename Take>
  std::string list_step(std::string_view in, std::string_view base, const ListOptions &options, const Take &take) const;
  std::vector<std::string> keys(std::string_view in, std::string_view base, std::uint32_t depth) const;
  /// Whether a store under a base may wait for a disk, a network or another process.
  bool spans_blocking(std::string_view in, std::string_view base) const;
  std::uint64_t clear(std::string_view in, std::string_view base, const CallOptions &options);
  Watch watch(std::string_view in, std::string_view base, std::function<void(const Event &)> callback,
              const WatchOptions &options);
  /// Hub::pull().
  Watch pull(std::string_view base, std::function<void()> ready, const WatchOptions &options);

  const std::shared_ptr<Watchdog> watchdog = Watchdog::shared();
  Tasks tasks;
  Hub hub;
  Epoch epoch;
  OpLog op_log;

private:
  template <typename Groups, typename KeyOf>
  void publish_done(std::string_view in, const Groups &groups, const std::vector<Outcome> &outcomes, Event::Type type,
                    Event::Cause cause, const KeyOf &key_of);
  void publish_key(Event::Type type, Event::Cause cause, std::string_view key);
  /// The watch of one mount's store, over a base inside it.
  struct Backend : omnistore_watcher {
    Backend(Impl &storage, std::shared_ptr<const Mount> watched, std::string keys);
    ~Backend();
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;
    static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event);

    Impl &impl;
    const std::shared_ptr<const Mount> mount;
    const std::string base;
    void *watch = nullptr;
    std::vector<Node::WatchLimit> limits;
    bool refused() const {
      return std::any_of(limits.begin(), limits.end(), [](const Node::WatchLimit &limit) { return limit.refused; });
    }
  };
  /// Something changed in a store, and not through this Storage.
  void store_changed(const Mount &mount, const omnistore_event &event);
  /// A mount that watches of the storage want to hear of. One thread at a time, the one that made it busy, calls the
  /// driver, without the lock; before it leaves it looks whether more is to be done.
  struct Watched {
    explicit Watched(std::shared_ptr<const Mount> of) : mount(std::move(of)) {}
    const std::shared_ptr<const Mount> mount;
    std::multiset<std::string> bases; ///< that are wanted, inside its store
    std::vector<Hub::Limit> limits;
    bool busy = false;
    std::unique_ptr<Backend> backend; ///< watches what the bases have in common; for the thread that made it busy

    bool settled() const;
  };
  /// The mounts that the watches of one base want to hear of.
  struct Span {
    std::size_t watches = 0;
    std::vector<std::shared_ptr<const Mount>> wanted;
    std::vector<const Mount *> reached; ///< those of them whose limits concern the watches
  };
  void begin(const std::string &base) override;
  void end(const std::string &base) override;
  void refresh() override;
  void reach(const std::string &base, Span &span);
  bool cover(const std::shared_ptr<Watched> &watched, bool ask_again, std::unique_lock<std::mutex> &lock);
  void tell_limits(const std::string &base, const Span &span);

  /// A value to set: whole, or where `source` is not null so many bytes from there.
  struct Given {
    omnistore_bytes value;
    omnistore_source *source;
    std::uint64_t source_size;
  };
  Stored put(Route &route, const Key &key, HostCall &call, const Given &given, const SetOptions &options,
             bool want_etag);

  // storage_user.cpp: keys `k$`
  void add_user(Route &route, HostCall &call, Meta &meta) const;
  std::optional<Meta> user_meta(Route &route, HostCall &call) const;
  bool get_user(Route &route, HostCall &call, std::string &into, const GetOptions &options, Meta *meta) const;
  bool read_user(Route &route, HostCall &call, Reader &reader, const GetOptions &options) const;
  std::optional<Meta> meta_of_user(Route &route, HostCall &call) const;
  bool set_user(Route &route, HostCall &call, std::string_view user) const;
  Stored put_user(Route &route, const Key &key, HostCall &call, std::string_view user, const SetOptions &options);
  Stored put_user(Route &route, const Key &key, HostCall &call, Source &source, std::uint64_t size,
                  const SetOptions &options);
  bool remove_user(Route &route, const Key &key, HostCall &call, const RemoveOptions &options);

  /// Opens a mount's store. Where that fails: Error, or where it may fail a mount without a node and with the reason.
  void open(Mount &mount, bool may_fail);
  /// The table takes effect at once; what it no longer has is closed in the background, when no operation is on it.
  /// The mountpoints are those whose watches lost something. Under mounting_.
  std::future<void> publish_table(std::vector<std::shared_ptr<Mount>> mounts, const std::vector<std::string> &changed);

  std::mutex watching_; ///< for what the functions of Hub::Sources use
  std::condition_variable settled_;
  std::map<std::shared_ptr<const Mount>, std::shared_ptr<Watched>> watched_;
  std::map<std::string, Span> spans_; ///< by the base
  std::mutex mounting_;               ///< for what follows
  mutable std::mutex registry_mutex_; ///< for registry_ alone: stores may be long in opening
  std::shared_ptr<loader::Registry> registry_;
  MountDefaults defaults_;
  std::unique_ptr<const MountTable> current_;
  std::atomic<const MountTable *> table_{nullptr}; ///< current_, for those who read
  Closer closer_;
};

/// The whole message of a failure: "get shared:user:1 (mount shared, driver redis): CAUSE". One of a write whose time
/// was up says that it may still take place.
std::string failure(std::string_view operation, std::string_view key, const Mount &mount, std::string_view cause,
                    omnistore_status status = OMNISTORE_OK);

Meta to_meta(const omnistore_meta &meta);

/// When a value set now ends. Throws Error(invalid) for a negative ttl.
std::int64_t expiry_of(const Mount &mount, const SetOptions &options);

/// OMNISTORE_GET_...
std::uint32_t get_flags(const GetOptions &options);

std::uint32_t to_condition(Condition::Kind kind);

} // namespace omnistore
